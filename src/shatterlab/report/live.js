// Asks whether anything has changed, and replaces what has: open details, scroll and focus of the rest stay.
const main = document.getElementById("main"), said = document.getElementById("status");
let version = null, before = {};
async function look() {
  let seconds = 2;
  try {
    const answer = await fetch(`content?since=${version ?? ""}`);
    seconds = Number(answer.headers.get("Ask-Again")) || seconds; // the server tells many readers to ask less often
    if (answer.status === 200) await show(await answer.json());
    said.textContent = answer.status === 503 ? (await answer.json()).error : "Live.";
  } catch { said.textContent = "The server does not answer; trying again."; }
  if (document.hidden) await new Promise(seen => addEventListener("visibilitychange", seen, { once: true }));
  setTimeout(look, 1000 * seconds);
}
async function show(content) {
  version = content.version;
  let last = null;
  const changed = new Map(content.parts.map(part => [part.id, part]));
  for (const id of content.order) {
    let place = document.getElementById(id);
    if (!changed.has(id)) { last = place ?? last; continue; }
    const { html, charts: new_charts } = changed.get(id);
    if (!place || before[id] !== html) {
      const open = place ? [...place.querySelectorAll("details")].map(one => one.open) : [];
      const holder = document.createElement("template");
      holder.innerHTML = html;
      const fresh = holder.content.firstElementChild;
      [...fresh.querySelectorAll("details")].forEach((one, i) => { one.open = open[i] ?? false; });
      place ? place.replaceWith(fresh) : last ? last.after(fresh) : main.prepend(fresh);
      place = fresh;
      before[id] = html;
    }
    last = place;
    for (const [name, spec] of Object.entries(new_charts)) {
      const same = JSON.stringify(charts[name]) === JSON.stringify(spec);
      charts[name] = spec;
      if (!same || !document.getElementById(name).dataset.drawn) await draw(name);
    }
  }
  const ids = new Set(content.order);
  [...main.children].filter(child => !ids.has(child.id)).forEach(child => child.remove());
  lecture.refresh();
}
look();
