// Draws what the process says the readers see, and forgets it when the process has ended. Decides nothing.
"use strict";

const PICTURE_MS = 125;
const STATE_MS = 500;
const HIDDEN_MS = 1000; // nobody looks
const LOST_AFTER = 3; // failed questions in a row
const OURS = "#00e09a";
const INK = "#161616";
const OTHER = "#ffa21f";

const body = document.body;
const sections = [...document.querySelectorAll(".reader")];
const links = [...document.querySelectorAll("nav a")];
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

let failed = 0;

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

async function ask() {
  const answer = await fetch("/state");
  // The child's screen, or the next view, has taken this address: show that instead.
  if (answer.status === 404) location.reload();
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}

async function follow() {
  for (;;) {
    try {
      const page = await ask();
      if (page.process !== body.dataset.process) location.reload();
      failed = 0;
      page.readers.forEach((reader, number) => draw(sections[number], links[number], reader));
    } catch {
      failed += 1;
    }
    const ended = failed >= LOST_AFTER;
    document.getElementById("ended").hidden = !ended;
    if (ended) document.querySelectorAll("canvas").forEach(wipe);
    await sleep(document.hidden ? HIDDEN_MS : STATE_MS);
  }
}

function draw(section, link, reader) {
  section.classList.toggle("down", !reader.works);
  link?.classList.toggle("down", !reader.works);
  say(section.querySelector(".state span"), reader.state);
  const remedy = section.querySelector(".remedy");
  say(remedy, reader.remedy);
  remedy.hidden = !reader.remedy;
  if (reader.camera) drawCamera(section, reader.camera);
  if (!reader.works && section.classList.contains("seen")) {
    section.classList.remove("seen");
    wipe(section.querySelector("canvas"));
  }
  drawReads(section, reader.reads);
}

function drawCamera(section, camera) {
  const verdict = section.querySelector(".verdict");
  say(verdict.querySelector(".says"), camera.verdict);
  say(verdict.querySelector(".pixels"), camera.pixels);
  verdict.dataset.tone = camera.tone;
  say(section.querySelector(".card"), camera.card);
  say(section.querySelector(".share span"), camera.share);
  const meter = section.querySelector("meter");
  meter.hidden = camera.percent === null;
  meter.value = camera.percent ?? 0;
  say(section.querySelector(".rate"), camera.rate);
  drawList(section.querySelector(".hints"), camera.hints, (hint) => element("li", "", hint));
}

function drawReads(section, reads) {
  section.querySelector(".none").hidden = reads.length > 0;
  drawList(section.querySelector(".reads"), reads, (read) => {
    const item = document.createElement("li");
    const what = element("span", "what", read.what);
    item.dataset.tone = read.tone;
    what.append(element("bdi", "start", read.start));
    item.append(element("time", "", read.time), what, element("span", "standing", read.standing));
    if (read.trust) item.append(element("span", "trust", read.trust));
    return item;
  });
}

function drawList(list, items, make) {
  const now = JSON.stringify(items);
  if (list.dataset.shown === now) return;
  list.dataset.shown = now;
  list.replaceChildren(...items.map(make));
}

function element(kind, name, text) {
  const made = document.createElement(kind);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

// One picture at a time: whoever is slow misses some and never falls behind.
async function watch(section, number) {
  const canvas = section.querySelector("canvas");
  let after = 0;
  for (;;) {
    const begun = performance.now();
    try {
      const answer = await fetch(`/picture/${number}?after=${after}`);
      if (answer.status === 200) {
        const overlay = JSON.parse(answer.headers.get("X-Tadaima-Picture"));
        const picture = await createImageBitmap(await answer.blob());
        after = overlay.number;
        if (failed < LOST_AFTER) paint(canvas, picture, overlay);
        picture.close();
        section.classList.add("seen");
      }
    } catch {
      await sleep(STATE_MS);
    }
    await sleep(document.hidden ? HIDDEN_MS : Math.max(20, PICTURE_MS - (performance.now() - begun)));
  }
}

function paint(canvas, picture, overlay) {
  const [width, height] = overlay.size;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  const unit = width / 640; // what is drawn looks the same on every camera
  pen.drawImage(picture, 0, 0, width, height);
  outline(pen, corners(overlay.guide), "#fff", [14 * unit, 10 * unit], 3 * unit);
  if (!overlay.outlines.length) label(pen, body.dataset.guide, overlay.guide[0], overlay.guide[1] - 6 * unit, "#fff", unit);
  for (const code of overlay.outlines) {
    const colour = code.ours ? OURS : OTHER;
    outline(pen, code.corners, colour, code.ours ? [] : [10 * unit, 7 * unit], 6 * unit);
    const left = Math.min(...code.corners.map(([x]) => x));
    const bottom = Math.max(...code.corners.map(([, y]) => y));
    label(pen, code.label, left, bottom + 34 * unit, colour, unit);
  }
}

function corners([left, top, right, bottom]) {
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

function outline(pen, around, colour, dashes, width) {
  pen.beginPath();
  around.forEach(([x, y], number) => (number ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  pen.lineJoin = "round";
  pen.setLineDash([]);
  pen.strokeStyle = INK;
  pen.lineWidth = width * 1.8;
  pen.stroke();
  pen.setLineDash(dashes);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
}

// Kept inside the picture.
function label(pen, text, x, bottom, ground, unit) {
  const size = 24 * unit;
  pen.font = `bold ${size}px ${getComputedStyle(body).fontFamily}`;
  const width = pen.measureText(text).width + 12 * unit;
  const left = Math.max(0, Math.min(x, pen.canvas.width - width));
  const base = Math.max(size * 1.3, Math.min(bottom, pen.canvas.height));
  pen.fillStyle = ground;
  pen.fillRect(left, base - size * 1.3, width, size * 1.3);
  pen.fillStyle = INK;
  pen.fillText(text, left + 6 * unit, base - size * 0.3);
}

function wipe(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

sections.forEach((section, number) => {
  if (section.querySelector("canvas")) watch(section, number);
});
follow();
