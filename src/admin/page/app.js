// Routes of the page (#/topics/NAME), keys, theme, and the way to the API.
import {make} from "/page/charts.js";
import {views} from "/page/views.js";

const main = document.getElementById("main");
let shown = 0;  // counts routes: an answer that comes late is dropped
let timer = 0;

/** GET or, with `change`, another method. Throws an Error with the server's words. */
export async function api(path, change) {
  const options = change ? {method: change.method, body: change.body && JSON.stringify(change.body),
                            headers: {"X-Tidegate-Change": "1", "Content-Type": "application/json"}} : {};
  const response = await fetch("/api/v1/" + path, options);
  const answer = await response.json().catch(() => ({error: `status ${response.status}`}));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function navigation(name) {
  document.getElementById("nav").replaceChildren(...views.map((view, index) => make("a",
      {href: "#/" + view.name, title: `${view.title} (${index + 1})`, "aria-current": view.name === name && "page"},
      view.title)));
}

async function show(again = false) {
  const [name = "overview", ...rest] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  const view = views.find((one) => one.name === name) ?? views[0];
  const turn = ++shown;
  clearTimeout(timer);
  const context = {api, rest, isShown: () => turn === shown, reload: () => show(true)};
  navigation(view.name);
  document.title = [rest[0], view.title, "Tidegate"].filter(Boolean).join(" · ");
  try {
    const nodes = await view.render(context);
    if (turn !== shown) return;
    // Nobody loses what they are typing to a reload.
    if (!again || !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) main.replaceChildren(...[nodes].flat(Infinity).filter(Boolean));
  } catch (error) {
    if (turn !== shown) return;
    main.replaceChildren(make("p", {class: "note", role: "alert"}, error.message));
  }
  document.body.dataset.ready = location.hash;
  if (!again) main.focus({preventScroll: true});
  const every = view.every?.(rest);
  if (every) timer = setTimeout(() => !document.hidden && turn === shown ? show(true) : undefined, every);
}

async function state() {
  const place = document.getElementById("state");
  try {
    const told = await api("overview");
    place.className = told.ready ? "good" : "bad";
    place.textContent = told.ready ? "● ready" : "● " + told.reason;
  } catch {
    place.className = "bad";
    place.textContent = "● not reachable";
  }
  setTimeout(state, 10000);
}

function theme(wanted) {
  const dark = wanted ?? (localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  document.documentElement.dataset.theme = dark;
}
function otherTheme() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", next);
  theme(next);
}

document.getElementById("theme").addEventListener("click", otherTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme());
addEventListener("hashchange", () => show());
document.addEventListener("visibilitychange", () => document.hidden || show(true));
addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing && event.key === "Escape") event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (views[event.key - 1]) location.hash = "#/" + views[event.key - 1].name;
  else if (event.key === "/") { event.preventDefault(); main.querySelector("[data-filter]")?.focus(); }
  else if (event.key === "r") show(true);
  else if (event.key === "d") otherTheme();
});
theme();
show();
state();
