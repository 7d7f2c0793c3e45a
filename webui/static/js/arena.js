// All models on the same picture: each card gets its model's vote; cards are sorted and sieved.

import { announce } from "./answer.js";
import { milliseconds, number, percent, say } from "./words.js";

const find = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll(".card")];
const [list, consensus, sort, sift, dissent, shown] = ["cards", "consensus", "sort", "sift", "dissent", "shown"].map(find);
const invitation = consensus.cloneNode(true);
const votes = new Map();

const LARGE_FIRST = new Set(["accuracy", "confidence"]);
const measure = (card) => votes.get(card.dataset.name)?.[sort.value] ?? card.dataset[sort.value];

function arrange() {
  const held = document.activeElement;
  const missing = (value) => value === undefined || value === "";
  const compare = (one, other) => {
    const [a, b] = [measure(one), measure(other)];
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    if (sort.value === "name") return a.localeCompare(b);
    return LARGE_FIRST.has(sort.value) ? b - a : a - b;
  };
  const wanted = [...cards].sort(compare);
  if (wanted.some((card, place) => list.children[place] !== card)) {
    list.append(...wanted);
    if (list.contains(held)) held.focus({ preventScroll: true });
  }
  sieve();
}

function sieve() {
  const part = sift.value.trim().toLowerCase();
  let count = 0;
  for (const card of cards) {
    const fits = card.dataset.name.includes(part) && (!dissent.checked || card.classList.contains("differs"));
    card.hidden = !fits;
    count += fits;
  }
  shown.textContent = count === cards.length ? "" : say("shown", { shown: number(count), count: number(cards.length) });
}

function told(card, says, stance, measured) {
  card.querySelector(".says").textContent = says;
  card.querySelector(".stance").textContent = stance;
  card.querySelector(".measured").textContent = measured;
}

export function show({ label, counts, answers }) {
  votes.clear();
  for (const answer of answers) votes.set(answer.model, answer);
  for (const card of cards) {
    const vote = votes.get(card.dataset.name);
    card.classList.remove("agrees", "differs");
    if (!vote || vote.error) {
      told(card, "–", vote ? say("fails") : "", "");
      continue;
    }
    const measured = `${percent(vote.confidence)} · ${say("own_time", { ms: milliseconds(vote.ms) })}`;
    const alike = label !== null && vote.label === label && !vote.rejected;
    if (label !== null) card.classList.add(alike ? "agrees" : "differs");
    if (vote.rejected) told(card, "–", `${say("rejects")}, ${say("would_be", { label: vote.label })}`, measured);
    else told(card, vote.label, label === null ? "" : say(alike ? "agrees" : "differs"), measured);
  }
  const count = counts.reduce((sum, one) => sum + one.votes, 0);
  const each = counts.map((one) => `${one.label} × ${number(one.votes)}`).join(", ");
  if (!count) consensus.textContent = say("none_reads");
  else if (counts.length === 1) consensus.textContent = say("agreed", { count: number(count), label });
  else if (label !== null) consensus.textContent = say("most", { votes: number(counts[0].votes), count: number(count), label });
  else consensus.textContent = say("torn", { counts: each });
  arrange();
}

export function empty() {
  votes.clear();
  for (const card of cards) {
    card.classList.remove("agrees", "differs");
    told(card, "–", "", "");
  }
  consensus.replaceChildren(...invitation.cloneNode(true).childNodes);
  arrange();
}

sort.addEventListener("change", arrange);
sift.addEventListener("input", sieve);
dissent.addEventListener("change", () => {
  sieve();
  announce(shown.textContent);
});
