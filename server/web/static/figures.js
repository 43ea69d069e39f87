// A live screen, of a site or of all: asks for the figures with the tag of those it shows, keeps what a person opened open, and says so when
// no answer has come for a while. Works on what the server rendered; holds no sentence and no number of its own.
"use strict";
(() => {
  const LOST_AFTER_FAILURE_MS = 5000;
  const live = document.getElementById("live");
  const LOST_AFTER_SILENCE_MS = Number(live.dataset.silenceMs);
  const figures = document.getElementById("figures");
  const lost = document.getElementById("lost");
  const spoken = document.getElementById("spoken");
  let answeredAt = performance.now();
  let failed = false;
  let opened = new Set();

  const shown = () => figures.firstElementChild;

  function judge() {
    const silence = performance.now() - answeredAt;
    const isLost = silence > LOST_AFTER_SILENCE_MS || (failed && silence > LOST_AFTER_FAILURE_MS);
    document.body.classList.toggle("is-lost", isLost);
    if (isLost) lost.querySelector("b").textContent = shown().dataset.at;
    lost.hidden = !isLost;
  }

  document.body.addEventListener("htmx:configRequest", (event) => {
    if (shown().dataset.etag) event.detail.headers["If-None-Match"] = shown().dataset.etag;
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const status = event.detail.xhr.status;
    failed = !(status === 200 || status === 304);
    if (!failed) answeredAt = performance.now();
    judge();
  });
  document.body.addEventListener("htmx:beforeSwap", () => {
    opened = new Set([...figures.querySelectorAll("details[open]")].map((each) => each.id));
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    if (spoken.textContent !== shown().dataset.spoken) spoken.textContent = shown().dataset.spoken;
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) htmx.trigger(live, "look");
  });
  setInterval(judge, 500);
})();
