// Small line charts. Text goes in as text nodes only, as everywhere on this page.
const kSvg = "http://www.w3.org/2000/svg";

/** An element: properties starting with "on" are listeners, "class" and others attributes; children are
 * nodes or texts. Never takes markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().map((child) => (child instanceof Node ? child : String(child ?? ""))));
  return element;
}

function svg(tag, attributes, text) {
  const element = document.createElementNS(kSvg, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** 1, 2 or 5 times a power of ten, at or above `value`. */
function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= value);
}

const clock = (ms) => new Date(ms).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});

/** `series`: [{name, values}], at most two; `times` in milliseconds; `format` makes a text of a value. */
export function chart(title, times, series, format) {
  const [width, height, left, right, top, bottom] = [480, 132, 58, 8, 8, 18];
  const picture = svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title,
                              preserveAspectRatio: "xMinYMid meet"});
  const most = ceiling(Math.max(0, ...series.flatMap((one) => one.values)));
  const first = times[0] ?? 0, span = Math.max(1, (times.at(-1) ?? 1) - first);
  const x = (ms) => left + ((ms - first) / span) * (width - left - right);
  const y = (value) => height - bottom - (value / most) * (height - top - bottom);
  for (const part of [0, 0.5, 1]) {
    const at = y(most * part);
    picture.append(svg("line", {class: "grid", x1: left, x2: width - right, y1: at, y2: at}));
    picture.append(svg("text", {x: left - 6, y: at + 3, "text-anchor": "end"}, format(most * part)));
  }
  if (times.length > 1) {
    picture.append(svg("text", {x: left, y: height - 4}, clock(first)));
    picture.append(svg("text", {x: width - right, y: height - 4, "text-anchor": "end"}, clock(times.at(-1))));
  }
  series.forEach((one, index) => {
    const points = one.values.map((value, i) => `${i ? "L" : "M"}${x(times[i]).toFixed(1)} ${y(value).toFixed(1)}`);
    // One sample alone is a dot.
    picture.append(svg("path", {class: "ab"[index], "stroke-width": 2, d: points.join("") + (points.length === 1 ? "h.01" : "")}));
  });
  const latest = series.map((one, index) => make("span", {class: "ab"[index]},
      `${one.name} ${one.values.length ? format(one.values.at(-1)) : "–"}`));
  return make("section", {class: "card"}, make("div", {class: "label"}, title), picture,
              make("div", {class: "legend"}, latest));
}
