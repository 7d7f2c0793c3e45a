// The page after signing out forgets what was drawn and chosen in this tab, which is not for the next user. It happens
// here and not earlier, because a page that is left saves its board.

try {
  sessionStorage.clear();
} catch {
  // Storage is not allowed, so nothing was kept.
}
