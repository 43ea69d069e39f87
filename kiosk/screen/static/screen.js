// Draws the views that the door process sends, goes grey without them or when told to, and sends presses back. Decides nothing.
const SILENCE_MS = 2500; // the door speaks every second
const REOPEN_MS = 1500;
const STEADY_MS = 400; // a finger meant for the button of the answer before does not press the next one's

const body = document.body;
export const process = body.dataset.process;
export const byId = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let view = null;
let heardAt = -Infinity;
let openedAt = -Infinity;
let source = null;
let steadyAt = 0;
let touched = null; // the answer that was shown when the finger came down
let refusedUntil = 0;
let covered = false;

function hear(event) {
  const heard = JSON.parse(event.data);
  if (heard.process !== process) {
    location.reload(); // the door process is a new one, and so is its page
    return;
  }
  heardAt = performance.now();
  draw(heard);
  watch();
}

function open() {
  source?.close();
  openedAt = performance.now();
  source = new EventSource("/events");
  source.onmessage = hear;
}

function watch() {
  const now = performance.now();
  const silent = now - heardAt > SILENCE_MS;
  const lost = silent || view?.silent || now < refusedUntil;
  byId("stale").hidden = !lost;
  byId("page").inert = lost || covered;
  byId("panel").inert = lost;
  if (silent && now - openedAt > REOPEN_MS) open();
}

// Takes the page out of reach while the panel lies over it.
export function cover(whether) {
  covered = whether;
  watch();
}

// Never silence: the grey page says whom to call.
export function refuse() {
  refusedUntil = performance.now() + 4000;
  watch();
}

export function say(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export function paint(tile, mark) {
  tile.textContent = mark.emoji;
  tile.dataset.colour = mark.colour;
  tile.setAttribute("role", "img");
  tile.setAttribute("aria-label", mark.label);
}

function draw(next) {
  const before = view;
  view = next;
  const fresh = before?.answer !== next.answer || before?.kind !== next.kind;
  body.dataset.kind = next.kind;
  for (const id of ["title", "name", "note", "staff", "present", "time", "date"]) say(id, next[id]);
  if (fresh) drawFigure(next);
  drawUndo(next, before, fresh);
  byId("choices").hidden = next.kind !== "ask";
  if (fresh) fit();
  if (fresh && before && (before.undo_ms || before.kind === "ask")) steadyAt = performance.now() + STEADY_MS;
  drawList("recent", next.recent, before?.recent, passed);
  drawList("signs", next.signs, before?.signs, sign);
  document.dispatchEvent(new CustomEvent("view", { detail: { next, fresh } }));
}

function drawFigure(next) {
  const figure = byId("figure");
  figure.classList.toggle("marked", next.mark !== null);
  figure.querySelector(".shape use").setAttribute("href", `#shape-${next.kind}`);
  figure.querySelector(".badge use").setAttribute("href", `#badge-${next.kind}`);
  byId("mark").hidden = next.mark === null;
  if (next.mark) paint(byId("mark"), next.mark);
  for (const button of document.querySelectorAll("#undo, #strip-undo, #choices button")) button.disabled = false;
}

// What is too wide is set smaller; then a name of many lines, and then all words, until nothing is cut off and no word is broken.
export function fit() {
  const main = document.querySelector("main");
  const words = byId("words");
  const parts = [byId("title"), byId("name"), byId("note")];
  const shrink = (element, spills) => {
    for (let zoom = Number(element.style.zoom); spills() && zoom > 0.5; element.style.zoom = zoom) zoom -= 0.05;
  };
  for (const element of [...parts, words]) element.style.zoom = 1;
  for (const element of parts) shrink(element, () => element.scrollWidth > element.clientWidth + 1);
  for (const element of [byId("name"), words]) shrink(element, () => main.scrollHeight > main.clientHeight);
}

function drawUndo(next, before, fresh) {
  byId("undo").hidden = next.undo_ms === 0;
  if (next.undo_ms === 0 || (!fresh && before.undo_ms)) return;
  const left = byId("left");
  for (const running of left.getAnimations()) running.cancel();
  const from = `scaleX(${next.undo_ms / next.undo_of_ms})`;
  const easing = calm.matches ? "steps(4)" : "linear";
  left.animate([{ transform: from }, { transform: "scaleX(0)" }], { duration: next.undo_ms, fill: "forwards", easing });
}

function drawList(id, items, before, make) {
  if (JSON.stringify(items) === JSON.stringify(before)) return;
  byId(id).replaceChildren(...items.map(make));
}

function passed(recent) {
  const item = document.createElement("li");
  const tile = document.createElement("span");
  item.dataset.way = recent.way;
  tile.className = "tile colour";
  paint(tile, recent.mark);
  item.append(tile, icon(`badge-${recent.way}`));
  return item;
}

function sign(each) {
  const item = document.createElement("li");
  item.classList.toggle("trouble", each.trouble);
  item.append(icon(`sign-${each.icon}`), each.text);
  return item;
}

async function press(button, path) {
  button.disabled = true;
  button.blur(); // a scanner that types would press it again with its Enter
  try {
    const answer = await fetch(path, { method: "POST", headers: { "X-Tadaima-Page": process } });
    if (!answer.ok) throw new Error(answer.status);
  } catch {
    button.disabled = false;
    refuse();
  }
}

function shownNow() {
  return view && performance.now() >= steadyAt ? view.answer : null;
}

export function pressable(button, path) {
  button.addEventListener("pointerdown", () => { touched = shownNow(); });
  button.addEventListener("click", (event) => {
    const byKeyboard = event.detail === 0;
    const answer = byKeyboard ? shownNow() : touched;
    touched = null;
    if (answer !== null) press(button, path(answer));
  });
}

pressable(byId("undo"), (answer) => `/undo/${answer}`);
for (const button of document.querySelectorAll("#choices button")) {
  pressable(button, (answer) => `/choose/${answer}/${button.dataset.direction}`);
}

// A scanner that types ends with Enter: after characters, no key presses a button. Nor does one that is held down.
let typed = false;
addEventListener("keydown", (event) => {
  const presses = event.key === "Enter" || event.key === " ";
  if (presses && (typed || event.repeat)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
  if (presses || ["Tab", "Escape"].includes(event.key)) typed = typed && event.key === " ";
  else if (event.key.length === 1) typed = true;
}, true);

addEventListener("resize", fit);
setInterval(watch, 250);
open();
