// The panel over the page where staff enter a child who has no card. It asks the door for everything, and forgets all when it closes.
import { byId, cover, fit, paint, pressable, process, refuse, say } from "./screen.js";
import { childOf, chooseGroup, drawChildren, drawWhere, forgetChildren } from "./staff_children.js";

const UNTOUCHED_PAD_MS = 30000; // a pad that nobody touches makes room for the children
const MORE_MS = 10000; // after a movement, another child may be entered for this long without the PIN
const STAY_MS = 1000;
const LOOK_EVERY = 3; // seconds: children come by other doors as well
const STEADY_MS = 400; // the second of two quick touches does not press what the first brought
const DIGITS_MIN = 4;
const DIGITS_MAX = 8;
const IN_FULL = ["idle", "ask", "broken"]; // an answer that needs the whole page, or none

const panel = byId("panel");
let stage = "closed"; // pin, who, way, sending, and done: a movement was entered, the page shows its answer
let visit = 0; // counts openings and closings: what was asked in another visit is not listened to
let token = null;
let pin = "";
let chosen = null;
let own = null; // the answer to what was entered here
let shown = null;
let byKeyboard = false;
let changedAt = 0;
let touchedAt = 0;
let touched = false;
let barredUntil = 0;
let barredText = "";
let ticks = 0;

async function ask(what, message = {}) {
  const headers = { "Content-Type": "application/json", "X-Tadaima-Page": process };
  if (token) headers["X-Tadaima-Staff"] = token;
  const answer = await fetch(`/staff/${what}`, { method: "POST", headers, body: JSON.stringify(message) });
  const said = answer.status === 204 ? {} : await answer.json();
  return { status: answer.status, ...said };
}

// Asks and hands the answer on if the panel is still in the same visit; what the door cannot answer turns the page grey.
async function asking(what, message, heard) {
  const mine = visit;
  let answer;
  try {
    answer = await ask(what, message);
  } catch {
    answer = null;
  }
  if (mine !== visit) return;
  if (answer === null) {
    close();
    refuse();
  } else if (answer.status === 401) {
    relock(answer.text);
  } else {
    heard(answer);
  }
}

function show(next) {
  stage = next;
  changedAt = performance.now();
  touchedAt = changedAt;
  panel.dataset.stage = next;
  say("panel-said", "");
  for (const button of panel.querySelectorAll("button")) button.disabled = false;
  draw();
  if (panel.hidden) return;
  const first = { pin: "#pad button", who: "#groups button, #children button", way: "#ways button" }[next];
  (byKeyboard && panel.querySelector(first) || panel).focus();
}

// What lies over what: the panel over the page, but not over an answer that needs all of it.
function draw() {
  const open = ["pin", "who", "way", "sending"].includes(stage) && !(shown && shown.kind !== "idle" && IN_FULL.includes(shown.kind));
  panel.hidden = !open;
  cover(open);
  const idle = stage === "closed" && shown?.by_staff && !shown.undo_ms && !["ask", "broken"].includes(shown.kind);
  const more = stage === "done" && shown?.kind !== "broken";
  if (byId("by-staff").hidden === !idle && byId("more").hidden === !more) return;
  byId("by-staff").hidden = !idle;
  byId("more").hidden = !more;
  fit(); // they take room from the words
}

function open() {
  visit += 1;
  pin = "";
  drawDots();
  show("pin");
  drawBar();
}

function forget() {
  visit += 1;
  if (token) ask("lock").catch(() => {}); // the door locks by itself soon
  token = null;
  pin = "";
  own = null;
  chosen = null;
  forgetChildren();
  byId("chosen-name").textContent = "";
  byId("strip").hidden = true;
}

function close() {
  forget();
  show("closed");
}

function relock(text) {
  const wasOpen = stage !== "done";
  token = null;
  forget();
  if (!wasOpen) return show("closed");
  open();
  say("panel-said", text);
}

// PIN

function drawDots() {
  byId("dots").textContent = "●".repeat(pin.length);
  byId("try").disabled = pin.length < DIGITS_MIN || performance.now() < barredUntil;
}

function drawBar() {
  const barred = performance.now() < barredUntil;
  for (const button of byId("pad").children) button.disabled = barred;
  if (barred) say("panel-said", barredText);
  drawDots();
}

function add(digit) {
  if (pin.length < DIGITS_MAX) pin += digit;
  say("panel-said", "");
  drawDots();
}

function erase() {
  pin = pin.slice(0, -1);
  drawDots();
}

function tryPin() {
  const tried = pin;
  pin = "";
  for (const button of byId("pad").children) button.disabled = true;
  asking("unlock", { pin: tried }, (answer) => {
    if (answer.token) {
      token = answer.token;
      load("who");
      return;
    }
    if (answer.wait_s) {
      barredUntil = performance.now() + answer.wait_s * 1000;
      barredText = answer.text;
    }
    drawBar();
    say("panel-said", answer.text ?? "");
    if (byKeyboard) panel.querySelector("#pad button:enabled, #panel-close").focus();
  });
}

// Children

function load(next = null) {
  asking("children", {}, (answer) => {
    if (answer.status !== 200) {
      say("panel-said", answer.text ?? "");
      return;
    }
    drawChildren(answer);
    if (next) show(next);
    const now = stage === "way" && childOf(chosen.child);
    if (now && now.whereabouts !== chosen.whereabouts) choose(now); // its card was read: another way is likely now
    if (answer.children.length === 0) say("panel-said", panel.dataset.empty);
  });
}

function choose(each) {
  chosen = each;
  paint(byId("chosen-mark"), each.mark);
  byId("chosen-name").textContent = each.name;
  byId("way").dataset.where = "";
  drawWhere(byId("way"), each);
  const likely = byId("ways").querySelector(`[data-direction=${each.likely}]`);
  for (const button of byId("ways").children) button.classList.toggle("likely", button === likely);
  byId("ways").prepend(likely);
  show("way");
}

// The way

function enter(direction) {
  for (const button of byId("ways").children) button.disabled = true;
  stage = "sending"; // its answer may come before this request's
  const mine = visit;
  asking("enter", { child: chosen.child, direction }, (answer) => {
    if (answer.status === 200) {
      own = answer.answer;
      show("done");
      setTimeout(() => { if (stage === "done" && visit === mine) close(); }, MORE_MS);
    } else {
      show("who");
      load();
      say("panel-said", answer.text ?? "");
    }
  });
}

function more() {
  own = null;
  visit += 1;
  show("who");
  chooseGroup("");
  load();
}

// A card that is read meanwhile: its answer stands in the bar, with the way back.

function drawStrip(next) {
  const strip = byId("strip");
  strip.hidden = next.kind === "idle" || next.answer === own;
  if (strip.hidden) return;
  strip.dataset.kind = next.kind;
  strip.querySelector("use").setAttribute("href", `#badge-${next.kind}`);
  byId("strip-mark").hidden = next.mark === null;
  if (next.mark) paint(byId("strip-mark"), next.mark);
  say("strip-title", next.title);
  say("strip-name", next.name);
  byId("strip-undo").hidden = next.undo_ms === 0;
  fitName(strip);
}

// A long name is set smaller until the bar holds it.
function fitName(strip) {
  const name = byId("strip-name");
  name.style.zoom = 1;
  for (let zoom = 0.95; name.parentElement.offsetHeight > strip.clientHeight - 8 && zoom >= 0.5; zoom -= 0.05) name.style.zoom = zoom;
}

document.addEventListener("view", ({ detail: { next, fresh } }) => {
  shown = next;
  if (stage !== "closed" && !next.by_staff) close();
  draw();
  if (panel.hidden || stage === "sending") return;
  drawStrip(next);
  if (fresh && ["in", "out", "undone"].includes(next.kind) && stage !== "pin") load();
});

// Each second: is this page still let in, and is anybody there?

setInterval(() => {
  const now = performance.now();
  if (stage === "pin" && now - touchedAt > UNTOUCHED_PAD_MS) return close();
  if (stage === "pin" && barredUntil && now >= barredUntil) {
    barredUntil = 0;
    drawBar();
    say("panel-said", "");
  }
  if (!token) return;
  asking("stay", { touched }, () => {});
  touched = false;
  ticks += 1;
  if (stage === "who" && ticks % LOOK_EVERY === 0) load();
}, STAY_MS);

function touch() {
  touched = true;
  touchedAt = performance.now();
}

addEventListener("pointerdown", touch, true);
addEventListener("click", touch, true);
addEventListener("keydown", (event) => {
  if (event.key === "Tab") touch();
  if (event.key === "Escape" && !panel.hidden) close();
}, true);

panel.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  byKeyboard = event.detail === 0;
  if (!button || button.id === "strip-undo") return;
  if (!byKeyboard) button.blur(); // a scanner that types would press it again with its Enter
  const { digit, child, direction } = button.dataset;
  if (button.id === "panel-close") close();
  else if (performance.now() - changedAt < STEADY_MS) return;
  else if (button.id === "panel-back") show("who");
  else if (button.id === "erase") erase();
  else if (button.id === "try") tryPin();
  else if (digit) add(digit);
  else if (child) choose(childOf(child));
  else if (direction) enter(direction);
  else chooseGroup(button.dataset.group);
});

// Tab goes round within the panel: what lies under it is out of reach, and a browser's own bars are not there in a kiosk.
panel.addEventListener("keydown", (event) => {
  if (event.key !== "Tab") return;
  const buttons = [...panel.querySelectorAll("button:enabled")].filter((each) => each.checkVisibility());
  const [first, last] = [buttons[0], buttons[buttons.length - 1]];
  const from = document.activeElement;
  if (event.shiftKey ? from === first || from === panel : from === last) {
    event.preventDefault();
    (event.shiftKey ? last : first).focus();
  }
});

for (const [id, act] of [["by-staff", open], ["more", more]]) {
  byId(id).addEventListener("click", (event) => {
    byKeyboard = event.detail === 0;
    byId(id).blur();
    act();
  });
}
pressable(byId("strip-undo"), (answer) => `/undo/${answer}`);
