// Copying to the clipboard, and a short message about it.

const toast = document.getElementById("toast");
let gone;
function say(text) {
  toast.textContent = text;
  clearTimeout(gone);
  gone = setTimeout(() => (toast.textContent = ""), 4000);
}

// Copies a text and says `done`. Where the browser does not allow that, selects the text in `place`, if given, and says
// `refused`.
export async function copy(text, done, refused, place = null) {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    if (place) getSelection().selectAllChildren(place);
    say(refused);
  }
}
