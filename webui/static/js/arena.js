// All models on the same picture: each card shows its model's vote. The cards can be sorted and filtered.

import { announce, NOTHING } from "./answer.js";
import { milliseconds, number, percent, say } from "./words.js";

const find = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll(".card")];
const [section, list, consensus, sort] = ["arena", "cards", "consensus", "sort"].map(find);
const [sift, dissent, shown] = ["sift", "dissent", "shown"].map(find);
const invitation = consensus.cloneNode(true);
const votes = new Map();
let counted = ""; // the text that says how many are shown

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
  const text = count === cards.length ? "" : say("shown", { shown: number(count), count: number(cards.length) });
  if (text !== counted) announce((counted = text), shown);
}

function told(card, says, stance, measured) {
  card.querySelector(".says").textContent = says;
  card.querySelector(".stance").textContent = stance;
  card.querySelector(".measured").textContent = measured;
}

export function show({ label, counts, answers }) {
  section.classList.remove("stale");
  votes.clear();
  for (const answer of answers) votes.set(answer.model, answer);
  for (const card of cards) {
    const vote = votes.get(card.dataset.name);
    card.classList.remove("agrees", "differs");
    if (!vote || vote.error) {
      told(card, "–", vote ? say("fails") : "", "");
      continue;
    }
    const took = say("own_time", { ms: milliseconds(vote.ms) });
    if (NOTHING.has(vote.reason)) {
      told(card, "–", say("rejects"), took); // with nothing to see, scores mean nothing
      continue;
    }
    const measured = `${percent(vote.confidence)} · ${took}`;
    const alike = label !== null && vote.label === label && !vote.rejected;
    if (label !== null) card.classList.add(alike ? "agrees" : "differs");
    const none = say(vote.reason === "several_objects" ? "sees_several" : "rejects");
    if (vote.rejected) told(card, "–", `${none}, ${say("would_be", { label: vote.label })}`, measured);
    else told(card, vote.label, label === null ? "" : say(alike ? "agrees" : "differs"), measured);
  }
  const count = counts.reduce((sum, one) => sum + one.votes, 0);
  const each = counts.map(({ label, votes }) => say(votes === 1 ? "one_vote" : "some_votes", { label, votes: number(votes) })).join(", ");
  const several = answers.some(({ reason }) => reason === "several_objects");
  if (!count) consensus.textContent = say(several ? "none_single" : "none_reads");
  else if (counts.length === 1) consensus.textContent = say("agreed", { count: number(count), label });
  else if (label !== null) consensus.textContent = say("most", { votes: number(counts[0].votes), count: number(count), label });
  else consensus.textContent = say("torn", { counts: each });
  arrange();
}

function blank() {
  votes.clear();
  section.classList.remove("stale");
  for (const card of cards) {
    card.classList.remove("agrees", "differs");
    told(card, "–", "", "");
  }
  arrange();
}

export function empty() {
  consensus.replaceChildren(...invitation.cloneNode(true).childNodes);
  blank();
}

// Marks the votes as those on an earlier picture.
export const stale = () => section.classList.add("stale");

// Shows why there are no votes on this picture yet. Votes on this very picture stay.
export function unknown(reason) {
  if (!section.classList.contains("stale")) return;
  blank();
  stale();
  consensus.textContent = reason;
}

sort.addEventListener("change", arrange);
sift.addEventListener("input", sieve);
dissent.addEventListener("change", sieve);
