// The page after signing out: what was drawn and chosen is not for the next one in the tab. It is forgotten here and not
// earlier, since a page that is left keeps its board.

try {
  sessionStorage.clear();
} catch {
  // Storage is not allowed, and nothing is kept.
}
