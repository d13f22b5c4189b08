// The page shows what /events sends: the whole state, once a second while it changes.
"use strict";

const byId = (id) => document.getElementById(id);

// element makes an element; content is text, an element or a list of both.
function element(name, attributes, content) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
  e.append(...[].concat(content ?? []));
  return e;
}

const number = new Intl.NumberFormat();
const money = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function duration(ms) {
  if (!ms) return "–";
  if (ms < 1) return "< 1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

// chart draws a bar per minute of the last hour. parts are [class, value of a minute],
// drawn one above the other.
function chart(label, minutes, now, ...parts) {
  const svgNS = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(svgNS, "svg");
  svg.setAttribute("viewBox", "0 0 240 32");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const draw = (name, attributes) => {
    const e = document.createElementNS(svgNS, name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    svg.append(e);
  };
  draw("line", { x1: 0, x2: 240, y1: 31.5, y2: 31.5 });
  const most = Math.max(...minutes.map((m) => parts.reduce((sum, [, value]) => sum + value(m), 0)), Number.MIN_VALUE);
  const thisMinute = Math.floor(now / 60000);
  for (const m of minutes) {
    const x = 236 - 4 * (thisMinute - m.at / 60);
    let y = 31;
    for (const [kind, value] of parts) {
      const height = 30 * value(m) / most;
      if (!height) continue;
      y -= height;
      draw("rect", { class: kind, x, y, width: 3, height });
    }
  }
  return svg;
}

function stateOf(t) {
  if (!t.available) return ["bad", t.closed_for_ms ? `closed for ${duration(t.closed_for_ms)}` : "closed, next request probes"];
  if (t.down) return ["bad", "down, by health checks"];
  if (t.credentials_refused_for_ms) return ["bad", `credentials refused, asked again in ${duration(t.credentials_refused_for_ms)}`];
  if (t.resting_for_ms) return ["wait", `resting for ${duration(t.resting_for_ms)}`];
  return ["good", "available"];
}

function share(part, whole) {
  return whole ? `${(100 * part / whole).toFixed(1)} %` : "–";
}

function figure(name, value) {
  return element("div", {}, [element("dt", {}, name), element("dd", {}, value)]);
}

function showTarget(t, now) {
  const sum = (value) => t.minutes.reduce((all, m) => all + value(m), 0);
  const requests = sum((m) => m.requests), errors = sum((m) => m.errors), firsts = sum((m) => m.first_tokens), cost = sum((m) => m.cost);
  const prompt = sum((m) => m.prompt_tokens), cached = sum((m) => m.cached_tokens);
  const first = firsts ? sum((m) => m.first_token_ms_sum) / firsts : 0;
  const [kind, text] = stateOf(t);
  const parts = [
    element("h3", {}, t.target),
    element("p", {}, [element("span", { class: `state ${kind}` }, text), ` · ${t.route_type} · ${number.format(t.in_flight)} in flight · plugin ${t.plugin.slice(0, 8)}`]),
  ];
  if (t.last_error) parts.push(element("p", { class: "hint" }, `last error: ${t.last_error} at ${clock.format(new Date(t.last_error_at))}`));
  if (t.health_checks) parts.push(element("p", { class: "hint" }, `health checks: ${number.format(t.health_checks)}, ${number.format(t.health_checks_failed)} of them failed`));
  parts.push(element("dl", {}, [
    figure("Calls", [number.format(requests), chart(`calls: ${requests} in the last hour, ${errors} of them errors`, t.minutes, now, ["bad", (m) => m.errors], ["bar", (m) => m.requests - m.errors])]),
    figure("Errors", requests ? `${number.format(errors)} (${share(errors, requests)})` : "–"),
    figure("First token", [duration(first), chart(`time to first token, on average ${duration(first)}`, t.minutes, now, ["bar", (m) => m.first_tokens ? m.first_token_ms_sum / m.first_tokens : 0])]),
    figure("Cost", [cost ? money.format(cost) : "–", chart(`cost: ${money.format(cost)} in the last hour`, t.minutes, now, ["cost", (m) => m.cost])]),
    figure("Cached input", cached ? `${share(cached, prompt)} of ${number.format(prompt)} tokens` : "–"),
  ]));
  return element("li", {}, parts);
}

const winners = { first: "the first target", hedge: "the second target" };

// counts shows numbers by name, the largest first.
function counts(all) {
  return Object.entries(all || {}).sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} ${number.format(n)}`).join(", ") || "–";
}

// usedBy shows what calls used; what says which calls.
function usedBy(used, what) {
  if (!used.tokens && !used.cost) return [];
  return [element("div", {}, `${number.format(used.tokens)} tokens ${what}${used.cost ? `, cost ${money.format(used.cost)}` : ""}`)];
}

function showTotals(t) {
  const total = (all) => Object.values(all || {}).reduce((sum, n) => sum + n, 0);
  const cells = [
    t.route || "–",
    [element("div", {}, counts(t.failovers)), ...usedBy(t.replaced, "in their answers")],
    t.hedged ? [element("div", {}, `${number.format(total(t.hedged))}, of which the second target answered ${number.format(t.hedged.hedge || 0)}`), ...usedBy(t.cancelled, "in cancelled calls")] : "–",
    t.affinity ? [element("div", {}, share(t.affinity.home || 0, total(t.affinity))), element("div", {}, counts(t.affinity))] : "–",
    [element("div", {}, counts(t.response_cache)), ...usedBy(t.saved, "saved")],
    counts(t.prompt_cache),
  ];
  return element("tr", {}, cells.map((c) => element("td", {}, c)));
}

function showRequest(r) {
  const good = r.outcome === "completed" && r.status < 400;
  const tried = (r.tried || []).map((t) => t.outcome === "ok" ? t.target : `${t.target} (${[t.outcome, t.failover].filter(Boolean).join(": ")})`).join(", ");
  const notes = [
    r.hedged && `hedged: ${winners[r.hedged]} answered`,
    r.affinity && r.affinity !== "home" && `moved: its own target is ${r.affinity}`,
    r.response_cache && `kept answer: ${r.response_cache}`,
  ].filter(Boolean).join(", ");
  const cells = [
    clock.format(new Date(r.at)), r.route || "–", r.target || "–",
    element("span", { class: good ? "good" : "bad" }, `${r.outcome}${r.status ? ` ${r.status}` : ""}`),
    number.format(r.input_tokens), number.format(r.output_tokens) + (r.estimated ? " ≈" : ""), r.cost ? money.format(r.cost) : "–",
    duration(r.first_token_ms), duration(r.latency_ms), tried || "–", notes || "–",
  ];
  return element("tr", {}, cells.map((c, i) => element("td", i >= 4 && i <= 8 ? { class: "number" } : {}, c)));
}

function showBudget(b) {
  const amount = b.unit === "cost" ? money : number;
  const cells = [
    b.budget, b.plugin.slice(0, 8), b.on_exceeded, amount.format(b.used), amount.format(b.limit), share(b.used, b.limit),
    number.format(b.counters), number.format(b.exceeded), number.format(b.warned),
  ];
  return element("tr", {}, cells.map((c, i) => element("td", i >= 3 ? { class: "number" } : {}, c)));
}

function show(state) {
  const now = new Date(state.now).getTime();
  const about = byId("about");
  about.textContent = `version ${state.version} · process ${state.pid} · since ${clock.format(new Date(state.began))}`;
  about.className = "";
  byId("targets").replaceChildren(...(state.targets.length ? state.targets.map((t) => showTarget(t, now)) : [element("li", {}, "No configuration yet: Kong gives it with the first request.")]));
  byId("totals-section").hidden = !state.totals.length;
  byId("totals").replaceChildren(...state.totals.map(showTotals));
  const budgets = state.budgets || [];
  byId("budgets-section").hidden = !budgets.length;
  byId("budgets").replaceChildren(...budgets.map(showBudget));
  byId("requests").replaceChildren(...state.requests.map(showRequest));
}

// watch follows the events, and comes back when the process was restarted.
function watch() {
  const events = new EventSource("events");
  events.onmessage = (e) => show(JSON.parse(e.data));
  events.onerror = () => {
    events.close();
    const about = byId("about");
    about.textContent = "not reachable: trying again";
    about.className = "gone";
    setTimeout(watch, 1000);
  };
}

watch();
