// One function a view. Data from the server only ever becomes text nodes.
import {chart, make} from "/page/charts.js";

const count = (value) => value == null || value < 0 ? "–" : Number(value).toLocaleString("en");
const short = (value) => value >= 1e6 ? (value / 1e6).toFixed(1) + " M" : value >= 1e4 ? (value / 1e3).toFixed(0) + " k"
    : value < 1 ? String(+value.toPrecision(2)) : value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
const bytes = (value) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < 4) { value /= 1000; ++unit; }
  return `${value < 100 && value % 1 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
};
const seconds = (value) => value == null ? "–" : value < 120 ? `${value.toFixed(0)} s` : value < 7200 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
const time = (ms) => ms > 0 ? new Date(ms).toISOString().replace("T", " ").replace("Z", "") : "–";
const link = (path, text) => make("a", {href: "#/" + path.map(encodeURIComponent).join("/")}, text);
const card = (label, value, look) => make("div", {class: "card"}, make("div", {class: "label"}, label),
                                          make("div", {class: "value " + (look ?? "")}, value));
const mayChange = async (api) => (await api("overview")).changes_allowed;

/** `columns`: [title, cell(row), isNumber]. */
function table(columns, rows, nothing) {
  if (!rows.length) return make("p", {class: "quiet"}, nothing);
  return make("div", {class: "scroll", tabindex: 0}, make("table", {},
      make("thead", {}, make("tr", {}, columns.map(([title, , number]) => make("th", {class: number && "number", scope: "col"}, title)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, columns.map(([title, cell, number]) => make("td", {class: number ? "number" : title.includes("(UTC)") && "short"}, cell(row))))))));
}

/** A box that hides the rows of `of` without its text; its text outlives a reload. */
const filters = {};
function filterBox(name, of) {
  const apply = () => of.querySelectorAll("tbody tr").forEach((row) => { row.hidden = !row.textContent.includes(filters[name] ?? ""); });
  apply();
  return make("input", {"data-filter": true, type: "search", placeholder: "Filter  /", "aria-label": "Filter", value: filters[name] ?? "",
                        oninput: (event) => { filters[name] = event.target.value; apply(); }});
}

/** Does a change and says how it went. */
const attempt = async (work, after) => { try { await work(); after(); } catch (error) { alert(error.message); } };

async function overview({api}) {
  const told = await api("overview");
  const past = told.history;
  const last = (name) => past[name].at(-1) ?? 0;
  return [
    make("h1", {}, "Overview"),
    told.ready ? null : make("p", {class: "note", role: "alert"}, told.reason),
    make("div", {class: "cards"}, card("State", told.ready ? "ready" : "not ready", told.ready ? "good" : "bad"),
         card("Engine", told.engine ?? "–"), card("Topics", count(told.topics)), card("Partitions", count(told.partitions)),
         card("Connections", count(last("connections"))), card("Requests a second", short(last("requests_per_second"))),
         card("Version", told.version)),
    make("div", {class: "charts"},
         chart("Bytes a second", past.time_ms, [{name: "in", values: past.received_bytes_per_second}, {name: "out", values: past.sent_bytes_per_second}], bytes),
         chart("Produce latency", past.time_ms, [{name: "p50", values: past.produce_p50_ms}, {name: "p99", values: past.produce_p99_ms}], (ms) => `${short(ms)} ms`),
         chart("Requests a second", past.time_ms, [{name: "requests", values: past.requests_per_second}], short),
         chart("Errors a second", past.time_ms, [{name: "errors", values: past.errors_per_second}], short)),
    past.time_ms.length < 2 ? make("p", {class: "quiet"}, `The charts fill up as samples come in, one every ${told.sample_seconds} s.`) : null,
  ];
}

async function topics(context) {
  const {api, rest, reload} = context;
  if (rest[1] === "messages") return messages(context);
  if (rest[0]) return topic(context);
  const [told, changes] = await Promise.all([api("topics"), mayChange(api)]);
  const rows = table([["Topic", (row) => link(["topics", row.name], row.name)],
                      ["", (row) => link(["topics", row.name, "messages"], "messages")],
                      ["Partitions", (row) => count(row.partitions), true], ["Cleanup", (row) => row.cleanup],
                      ["Own configs", (row) => count(row.own_configs), true], ["Created (UTC)", (row) => time(row.created_ms)]],
                     told.topics, "There are no topics.");
  const create = make("form", {onsubmit: (event) => {
    event.preventDefault();
    const {name, partitions} = event.target.elements;
    attempt(() => api("topics", {method: "POST", body: {name: name.value, partitions: Number(partitions.value)}}), reload);
  }}, make("label", {}, "New topic", make("input", {name: "name", required: true})),
      make("label", {}, "Partitions", make("input", {name: "partitions", type: "number", min: 1, value: 1})), make("button", {}, "Create"));
  return [make("h1", {}, "Topics"), make("div", {class: "bar"}, filterBox("topics", rows),
          make("span", {class: "quiet"}, `${count(told.total)} topics`)), rows, changes ? [make("h2", {}, "Create"), create] : null];
}

async function topic({api, rest: [name]}) {
  const [told, changes] = await Promise.all([api("topics/" + encodeURIComponent(name)), mayChange(api)]);
  const sum = (field) => told.partitions.reduce((all, row) => all + Math.max(0, row[field]), 0);
  const configs = table([["Config", (row) => make("code", {}, row.name)], ["Value", (row) => make("code", {}, row.value)],
                         ["From", (row) => row.source === "topic" ? make("strong", {}, "topic") : row.source]], told.configs, "None.");
  return [
    make("h1", {}, told.name),
    make("div", {class: "bar"}, link(["topics", name, "messages"], "Messages"), changes ? make("button", {class: "danger", onclick: () =>
      prompt(`This deletes the topic and its records. Its name, to go on:`) === name &&
      attempt(() => api("topics/" + encodeURIComponent(name), {method: "DELETE"}), () => { location.hash = "#/topics"; })}, "Delete…") : null),
    make("div", {class: "cards"}, card("Partitions", count(told.partition_count)), card("Records, about", count(sum("end") - sum("start"))),
         card("Size", bytes(sum("size_bytes"))), card("Id", make("code", {}, told.id))),
    table([["Partition", (row) => row.partition, true], ["Leader", (row) => row.leader, true], ["Start", (row) => count(row.start), true],
           ["End", (row) => count(row.end), true], ["Size", (row) => bytes(row.size_bytes), true], ["", (row) => row.error ? make("span", {class: "bad"}, row.error) : ""]],
          told.partitions, "None."),
    make("h2", {}, "Configs"), make("div", {class: "bar"}, filterBox("configs", configs)), configs,
  ];
}

function field(told) {
  if (told === null) return make("span", {class: "quiet"}, "null");
  const tags = [told.schema_id !== undefined && `schema ${told.schema_id}`, told.hex !== undefined && "hex",
                told.cut && `first 16 kB of ${bytes(told.size)}`].filter(Boolean);
  // As it is: numbers of records do not fit JavaScript's.
  const text = told.text ?? told.hex;
  return make("div", {}, tags.map((tag) => make("span", {class: "tag"}, tag)), make("pre", {}, text));
}

function message(row, partition) {
  return make("article", {class: "message"},
      make("div", {class: "head"}, make("span", {class: "mono"}, `${partition}:${row.offset}`), make("span", {}, time(row.time_ms) + " UTC")),
      make("dl", {}, make("dt", {}, "key"), make("dd", {}, field(row.key)), make("dt", {}, "value"), make("dd", {}, field(row.value)),
           row.headers.length ? [make("dt", {}, "headers"), make("dd", {}, row.headers.map((header) =>
             make("div", {class: "mono"}, header.key.text ?? header.key.hex, " = ", header.value === null ? "null" : header.value.text ?? header.value.hex)))] : []));
}

const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

async function messages({api, rest: [name], isShown}) {
  const told = await api("topics/" + encodeURIComponent(name));
  const list = make("div", {"aria-live": "off"});
  const status = make("span", {class: "quiet", role: "status"});
  const input = (of) => make("input", of);
  const partition = make("select", {"aria-label": "Partition"}, told.partitions.map((row) => make("option", {value: row.partition}, `partition ${row.partition}`)));
  const from = input({class: "short", value: "end", title: "end, start, an offset, or a time as 2030-01-31T12:00", "aria-label": "From"});
  const filter = input({"data-filter": true, type: "search", placeholder: "Text in key, value, headers  /", "aria-label": "Filter"});
  const tail = input({type: "checkbox"});
  let next = null, turn = 0;
  const query = (start, wait) => {
    const parts = new URLSearchParams({partition: partition.value, limit: 50, filter: filter.value, wait_ms: wait});
    const at = /^\d{4}-\d\d/.test(start) ? Date.parse(start) : NaN;
    if (Number.isNaN(at)) parts.set("from", start); else parts.set("time_ms", at);
    return api(`topics/${encodeURIComponent(name)}/messages?${parts}`);
  };
  const add = (page, newestFirst) => {
    const rows = page.messages.map((row) => message(row, partition.value));
    if (newestFirst) list.prepend(...rows.reverse()); else list.append(...rows);
    while (list.childElementCount > 500) (newestFirst ? list.lastChild : list.firstChild).remove();
    next = page.next;
    status.textContent = `offsets ${count(page.start)} to ${count(page.end)}; next is ${count(next)}. ${page.problem}`;
  };
  const load = async (start, fresh) => {
    const mine = ++turn;
    try {
      const page = await query(String(start), 0);
      if (mine !== turn || !isShown()) return;
      if (fresh) list.replaceChildren();
      add(page, false);
      if (!page.messages.length) status.textContent += " Nothing there.";
      if (tail.checked) follow(mine);
    } catch (error) { status.textContent = error.message; }
  };
  const follow = async (mine) => {
    while (mine === turn && isShown() && tail.checked) {
      try {
        const page = await query(String(next), 5000);
        if (mine === turn) add(page, true);
      } catch (error) { status.textContent = error.message; await new Promise((done) => setTimeout(done, 2000)); }
    }
  };
  tail.addEventListener("change", () => tail.checked && (list.replaceChildren(), load("end", true)));
  partition.addEventListener("change", () => load(from.value, true));
  const kcat = make("button", {type: "button", onclick: () => {
    const start = /^\d+$/.test(from.value) ? from.value : from.value === "start" ? "beginning" : "-50";
    const command = `kcat -C -b HOST:9092 -t ${quoted(name)} -p ${partition.value} -o ${start} -c 50 -e`;
    navigator.clipboard?.writeText(command).catch(() => {});
    status.textContent = command;
  }}, "kcat command");
  load("end", true);
  return [make("h1", {}, link(["topics", name], name), " messages"),
          make("form", {onsubmit: (event) => { event.preventDefault(); load(from.value, true); }}, partition,
               make("label", {}, "From", from), filter, make("button", {class: "main"}, "Show"), make("label", {}, tail, "live"), kcat),
          make("p", {}, status), list, make("p", {}, make("button", {type: "button", onclick: () => next !== null && load(next, false)}, "More"))];
}

const seen = new Map();  // group: [[time, lag]], while the page is open
async function groups({api, rest: [name], reload}) {
  if (!name) {
    const told = await api("groups");
    const rows = table([["Group", (row) => link(["groups", row.id], row.id)], ["State", (row) => row.state], ["Type", (row) => row.type],
                        ["Protocol", (row) => row.protocol_type || "–"]], told.groups, "There are no consumer groups.");
    return [make("h1", {}, "Groups"), make("div", {class: "bar"}, filterBox("groups", rows), make("span", {class: "quiet"}, `${count(told.total)} groups`)), rows];
  }
  const path = "groups/" + encodeURIComponent(name);
  const [told, changes] = await Promise.all([api(path), mayChange(api)]);
  const past = seen.get(name) ?? [];
  past.push([Date.now(), told.lag, Math.max(0, ...told.offsets.map((row) => row.lag_seconds ?? 0))]);
  seen.set(name, past.slice(-360));
  const times = past.map(([at]) => at);
  const assigned = (row) => row.assignment.map((one) => `${one.topic}: ${one.partitions.join(", ")}`).join("; ") || "–";
  const reset = make("form", {onsubmit: (event) => {
    event.preventDefault();
    const {topic, to} = event.target.elements;
    const wanted = /^\d+$/.test(to.value) ? Number(to.value) : to.value;
    if (confirm(`Set the offsets of ${name} in ${topic.value} to ${wanted}?`)) attempt(() => api(path + "/offsets", {method: "POST", body: {topic: topic.value, to: wanted}}), reload);
  }}, make("select", {name: "topic", "aria-label": "Topic"}, [...new Set(told.offsets.map((row) => row.topic))].map((one) => make("option", {}, one))),
      make("label", {}, "to", make("input", {name: "to", class: "short", value: "start", title: "start, end or an offset"})), make("button", {class: "danger"}, "Reset…"));
  return [
    make("h1", {}, told.id),
    make("div", {class: "cards"}, card("State", told.state), card("Members", count(told.members.length)), card("Lag", count(told.lag)),
         card("Behind by", seconds(past.at(-1)[2])), card("Assignor", told.assignor || "–")),
    make("div", {class: "charts"}, chart("Lag in messages, since this page is open", times, [{name: "lag", values: past.map((one) => one[1])}], short),
         chart("Lag in seconds, of the slowest partition", times, [{name: "behind", values: past.map((one) => one[2])}], seconds)),
    make("h2", {}, "Offsets"),
    table([["Topic", (row) => row.topic], ["Partition", (row) => row.partition, true], ["Committed", (row) => count(row.committed), true],
           ["End", (row) => count(row.end), true], ["Lag", (row) => count(row.lag), true], ["Behind by", (row) => seconds(row.lag_seconds), true]], told.offsets, "Nothing is committed."),
    make("h2", {}, "Members"),
    table([["Client", (row) => row.client_id], ["Host", (row) => row.client_host], ["Assignment", assigned], ["Member id", (row) => make("code", {}, row.id)]], told.members, "Nobody is in the group."),
    changes && told.offsets.length ? [make("h2", {}, "Reset offsets"), reset] : null,
  ];
}

async function clients({api}) {
  const told = (await api("clients")).clients;
  const kinds = new Map();
  for (const one of told) {
    const key = JSON.stringify([one.software_name, one.software_version, one.address, one.listener]);
    kinds.set(key, (kinds.get(key) ?? 0) + 1);
  }
  const rows = [...kinds].map(([key, connections]) => [...JSON.parse(key), connections]).sort((a, b) => b[4] - a[4]);
  const list = table([["Software", (row) => row[0]], ["Version", (row) => row[1]], ["Address", (row) => row[2]], ["Listener", (row) => row[3]],
                      ["Connections", (row) => count(row[4]), true]], rows, "Nobody is connected.");
  return [make("h1", {}, "Clients"), make("div", {class: "bar"}, filterBox("clients", list), make("span", {class: "quiet"}, `${count(told.length)} open`)), list];
}

async function schemas({api}) {
  const told = await api("schemas");
  const part = (field) => `${field.validation} · ${field.subject}`;
  return [
    make("h1", {}, "Schemas"),
    told.registry === null ? make("p", {class: "note"}, "No registry is set: schema.registry.url.") : [
      make("div", {class: "cards"}, card("Schemas kept", count(told.registry.cached_schemas)), card("Their size", bytes(told.registry.cached_schema_bytes))),
      table([["Registry", (row) => row.url], ["Breaker", (row) => row.breaker], ["Last problem", (row) => row.last_problem || "–"]], told.registry.urls, "None.")],
    make("h2", {}, "Topics"),
    table([["Topic", (row) => link(["topics", row.name], row.name)], ["Key", (row) => part(row.key)], ["Value", (row) => part(row.value)]],
          told.topics, "No topic has validation or a subject."),
  ];
}

export const views = [
  {name: "overview", title: "Overview", render: overview, every: () => 10000},
  {name: "topics", title: "Topics", render: topics},
  {name: "groups", title: "Groups", render: groups, every: (rest) => rest.length && 5000},
  {name: "clients", title: "Clients", render: clients},
  {name: "schemas", title: "Schemas", render: schemas},
];
