// Gives RapiDoc the page's own colours, light or dark, and translates its interface into the page's language, in which
// the API description already is. The API's responses stay English.

const shown = document.querySelector("rapi-doc");
const dark = matchMedia("(prefers-color-scheme: dark)");
const words = JSON.parse(shown.dataset.words);

function follow() {
  const colours = getComputedStyle(document.documentElement);
  const named = { "bg-color": "--paper", "text-color": "--text", "primary-color": "--blue" };
  shown.setAttribute("theme", dark.matches ? "dark" : "light");
  for (const [attribute, name] of Object.entries(named)) {
    shown.setAttribute(attribute, colours.getPropertyValue(name).trim());
  }
}

// RapiDoc knows only English. A text, or a part of one such as "Min 1┃Max 9", is replaced if all of it is a known text
// or a limit, now and whenever RapiDoc renders again.
const LIMIT = /^(Min|Max|More than|Less than|multiple of) (\S+?)( chars)?$/;

function said(part) {
  if (Object.hasOwn(words, part)) return words[part];
  const limit = LIMIT.exec(part);
  if (!limit) return part;
  if (Number(limit[2]) > Number.MAX_SAFE_INTEGER) return null; // no real limit
  return `${words[limit[1]]} ${limit[2]}${limit[3] ? ` ${words.chars}` : ""}`;
}

function translate(text) {
  const before = text.data.trim();
  const after = before.split("┃").map(said).filter((part) => part !== null).join("┃");
  if (after !== before) text.data = text.data.replace(before, () => after);
}

// Adds what RapiDoc lacks for screen readers: names of fields, and headings of the page and its sections.
function describe(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  if (node.matches("input, select, textarea")) node.ariaLabel ??= node.dataset.pname ?? words["REQUEST BODY"];
  else if (node.matches("pre")) node.tabIndex = 0; // it scrolls
  else if (node.id === "api-title") Object.assign(node, { role: "heading", ariaLevel: "1" });
  else if (node.matches(".section-tag-header .tag")) Object.assign(node, { role: "heading", ariaLevel: "2" });
}

function within(root) {
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  for (let node = root; node; node = walk.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) translate(node);
    else {
      describe(node);
      if (node.shadowRoot) watch(node.shadowRoot);
    }
  }
}

const watched = new WeakSet();
function watch(root) {
  if (watched.has(root)) return;
  watched.add(root);
  const look = (changes) => {
    for (const { type, target, addedNodes } of changes) (type === "characterData" ? [target] : addedNodes).forEach(within);
  };
  new MutationObserver(look).observe(root, { subtree: true, childList: true, characterData: true });
  within(root);
}

// The page's cookie stands for a key, so a request that posts must send the page's token.
shown.addEventListener("before-try", ({ detail: { request } }) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token) request.headers.set("X-CSRF-Token", token);
});

dark.addEventListener("change", follow);
follow();
const styles = await (await fetch(new URL("docs.css", import.meta.url))).text();
await customElements.whenDefined("rapi-doc");
shown.shadowRoot.adoptedStyleSheets.push(await new CSSStyleSheet().replace(styles));
watch(shown.shadowRoot);
