// Small conveniences on plain forms: everything here also works without a script.
"use strict";

const motion = matchMedia("(prefers-reduced-motion: no-preference)");

// Select boxes that act at once, and Ctrl+Enter in comment boxes.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  const box = event.target.closest("textarea[data-send]");
  if (box && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    box.form.requestSubmit(box.form.querySelector("button.primary"));
  }
});

// "Comment on this line" opens the form that belongs to the line.
document.addEventListener("click", (event) => {
  const line = event.target.closest("button[data-line]");
  if (!line) return;
  const form = document.querySelector("#line-comment");
  form.hidden = false;
  form.elements.path.value = line.dataset.path;
  form.elements.line.value = line.dataset.line;
  form.elements.side.value = line.dataset.side;
  form.querySelector("output").textContent = `${line.dataset.path}, line ${line.dataset.line}`;
  line.closest("table").after(form);
  form.elements.body.focus();
});

// Asks once a second for what a part of the page shows, and says when that changed.
const follow = (part, headers, isBusy, changed) => {
  let tag = null;
  const look = async () => {
    const asked = tag ? { ...headers, "If-None-Match": tag } : headers;
    const answer = await fetch(part.dataset.live, { headers: asked, cache: "no-store" });
    if (answer.status !== 200) return;
    const html = await answer.text();
    if (isBusy()) return;
    tag = answer.headers.get("ETag");
    changed(html);
  };
  const watch = async () => {
    try {
      if (!document.hidden && !isBusy()) await look();
    } catch {
      // The server is away; the next look will tell.
    }
    setTimeout(watch, 1000);
  };
  watch();
  return look;
};

// Comments, checks and the diff appear by themselves while nobody writes among them.
const thread = document.querySelector("#thread");
if (thread) {
  const writing = () => thread.querySelector("#line-comment") !== null;
  const folds = () => [...thread.querySelectorAll("details")];
  follow(thread, {}, writing, (html) => {
    const now = new DOMParser().parseFromString(html, "text/html").querySelector("#thread");
    if (!now || now.innerHTML === thread.innerHTML) return;
    const open = folds().map((one) => one.open);
    thread.replaceChildren(...now.childNodes);
    folds().forEach((one, at) => {
      if (at in open) one.open = open[at];
    });
  });
}

const board = document.querySelector("#board");
if (board) {
  let dragged = null;

  const say = (text) => {
    document.querySelector("#said").textContent = text;
  };
  const places = () => {
    const found = new Map();
    for (const card of board.querySelectorAll("[data-card]")) {
      found.set(card.id, {
        box: card.getBoundingClientRect(),
        column: card.closest("[data-column]").getAttribute("aria-label"),
      });
    }
    return found;
  };

  // Cards glide from where they were to where they are now.
  const show = (html) => {
    const before = places();
    const focused = document.activeElement && document.activeElement.id;
    const scrolled = board.querySelector(".board").scrollLeft;
    const unfolded = [...board.querySelectorAll("details[open]")].map((one) => one.id);
    board.innerHTML = html;
    board.querySelector(".board").scrollLeft = scrolled;
    for (const id of unfolded) {
      const details = id && document.getElementById(id);
      if (details) details.open = true;
    }
    if (focused && document.getElementById(focused)) {
      document.getElementById(focused).focus({ preventScroll: true });
    }
    for (const [id, now] of places()) {
      const card = document.getElementById(id);
      const old = before.get(id);
      if (!old) {
        card.classList.add("arrived");
        continue;
      }
      if (old.column !== now.column) {
        card.classList.add("arrived");
        say(`${card.dataset.name} moved to ${now.column}`);
      }
      const x = old.box.left - now.box.left;
      const y = old.box.top - now.box.top;
      if ((x || y) && motion.matches) {
        card.animate(
          [{ transform: `translate(${x}px, ${y}px)`, zIndex: 2 }, { transform: "none" }],
          { duration: 320, easing: "cubic-bezier(.2,.8,.3,1)" },
        );
      }
    }
  };

  const writing = () => {
    const active = document.activeElement;
    return active && board.contains(active) && active.matches("input, select");
  };
  const refresh = follow(board, { "X-Fragment": "cards" }, () => dragged || writing(), show);

  const clear = (name) => {
    for (const one of board.querySelectorAll(`.${name}`)) one.classList.remove(name);
  };
  const target = (event) => {
    const column = event.target.closest("[data-column]");
    if (!column) return null;
    const cards = [...column.querySelectorAll("[data-card]")].filter((one) => one !== dragged);
    const next = cards.find((one) => {
      const box = one.getBoundingClientRect();
      return event.clientY < box.top + box.height / 2;
    });
    const previous = next ? cards[cards.indexOf(next) - 1] : cards[cards.length - 1];
    return { column, next, previous };
  };

  board.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("[data-card]");
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.name);
    dragged.classList.add("dragged");
  });
  board.addEventListener("dragover", (event) => {
    const place = dragged && target(event);
    if (!place) return;
    event.preventDefault();
    clear("over");
    clear("before");
    place.column.classList.add("over");
    if (place.next) place.next.classList.add("before");
  });
  board.addEventListener("dragend", () => {
    clear("over");
    clear("before");
    clear("dragged");
    dragged = null;
  });
  board.addEventListener("drop", async (event) => {
    const place = dragged && target(event);
    if (!place) return;
    event.preventDefault();
    const form = dragged.querySelector('form[action$="/move"]');
    const body = new URLSearchParams({
      column: place.column.dataset.column,
      after: place.previous ? place.previous.dataset.card : "",
      next: place.next ? place.next.dataset.card : "",
    });
    dragged = null;
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (answer.type !== "opaqueredirect" && !answer.ok) say(await answer.text());
    await refresh();
  });
}
