/*
 * Draws /api/analytics and refreshes it. Text of users goes into textContent or onto a canvas, never into markup.
 */
const REFRESH_MS = 15_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const element = (id) => document.getElementById(id);
const charts = new Map();
const scheme = matchMedia('(prefers-color-scheme: dark)');
const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
let timer = 0;
let requests = 0;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

function duration(ms) {
  if (ms === null) return '–';
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Updates an existing bar chart: a new one would flicker at every refresh. */
function bars(id, labels, values, isHorizontal) {
  const known = charts.get(id);
  if (known !== undefined) {
    known.data.labels = labels;
    known.data.datasets[0].data = values;
    known.update('none');
    return;
  }
  const numbers = {
    beginAtZero: true,
    grid: { color: colour('--line') },
    ticks: { color: colour('--quiet'), precision: 0 },
  };
  const names = { grid: { display: false }, ticks: { color: colour('--quiet'), autoSkip: !isHorizontal } };
  const chart = new Chart(element(id), {
    type: 'bar',
    data: {
      labels,
      datasets: [{ data: values, backgroundColor: colour('--bar'), borderRadius: 3, maxBarThickness: 34 }],
    },
    options: {
      animation: false,
      indexAxis: isHorizontal ? 'y' : 'x',
      maintainAspectRatio: false,
      plugins: { legend: { display: false } },
      scales: isHorizontal ? { x: numbers, y: names } : { x: names, y: numbers },
    },
  });
  charts.set(id, chart);
}

function table(rows) {
  const lines = rows.map(({ pattern, count }) => {
    const line = document.createElement('tr');
    for (const text of [pattern, whole.format(count)]) {
      const cell = document.createElement('td');
      cell.textContent = text;
      line.append(cell);
    }
    return line;
  });
  element('second-turns').replaceChildren(...lines);
  element('no-second-turns').hidden = rows.length > 0;
}

function show({ live, ended }) {
  const figures = {
    live: whole.format(live.sessions),
    sessions: whole.format(ended.sessions),
    'turns-per-session': ended.turns_per_session.toFixed(1),
    abandonment: percent(ended.abandonment_rate),
    revision: percent(ended.protocol_revision_rate),
    p50: duration(ended.latency_ms.p50),
    p99: duration(ended.latency_ms.p99),
    tokens: `${short.format(ended.prompt_tokens)} / ${short.format(ended.completion_tokens)}`,
  };
  for (const [id, text] of Object.entries(figures)) element(id).textContent = text;
  const simulated = element('simulated');
  simulated.hidden = ended.simulated_answers === 0;
  simulated.textContent = `SIMULATED: ${whole.format(ended.simulated_answers)} answers in this range came from the simulator and mean nothing.`;
  const states = { connected: 0, processing: 0, idle: 0, ...live.by_state };
  bars('by-state', Object.keys(states), Object.values(states), true);
  const reasons = { idle: 0, absolute: 0, closed: 0, admin: 0, ...ended.by_end_reason };
  bars('by-reason', Object.keys(reasons), Object.values(reasons), true);
  const hours = ended.created_by_hour.map((_, hour) => `${String(hour).padStart(2, '0')}`);
  bars('by-hour', hours, ended.created_by_hour, false);
  table(ended.second_turns);
}

/** Whole hours: pages that show the same range send the same request, which the server counts only once. */
function url() {
  const days = Number(element('range').value);
  if (days === 0) return '/api/analytics';
  return `/api/analytics?from=${Math.floor(Date.now() / HOUR_MS) * HOUR_MS - days * DAY_MS}`;
}

async function refresh() {
  clearTimeout(timer);
  requests += 1;
  const request = requests;
  const status = element('status');
  try {
    const response = await fetch(url(), { headers: { accept: 'application/json' } });
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    const figures = await response.json();
    // The user has chosen another range meanwhile.
    if (request !== requests) return;
    show(figures);
    status.className = '';
    status.textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    if (request !== requests) return;
    status.className = 'failed';
    status.textContent = `not up to date: ${error.message}`;
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

scheme.addEventListener('change', () => {
  for (const chart of charts.values()) chart.destroy();
  charts.clear();
  void refresh();
});
element('range').addEventListener('change', refresh);
void refresh();
