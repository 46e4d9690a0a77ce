'use strict';
// Everything that comes from the model reaches the page as text nodes and attributes, never as HTML.

const report = JSON.parse(document.getElementById('data').textContent);
const ops = report.ops.map((op, index) => ({...op, index}));
const byName = new Map(ops.map((op) => [op.name, op]));
const SVG = 'http://www.w3.org/2000/svg';

// What the reader has chosen. It lives in the address behind '#', so that a view can be sent to somebody.
const view = {sort: 'index', down: '', filter: '', status: '', open: '', theme: ''};

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// ------------------------------------------------------------------------------------------------ numbers as text

const number = (value) => (value === null ? '–' : Number(value.toPrecision(4)).toString());
const bounds = (pair) => (pair === null ? '–' : pair[0] === pair[1] ? number(pair[0]) : `${number(pair[0])} to ${number(pair[1])}`);
const percent = (value) => `${(100 * value).toFixed(1)} %`;
// Two sizes in the unit that suits the larger one.
function sizes(before, after) {
  const [unit, bytes] = Math.max(before, after) < 1e6 ? ['kB', 1e3] : ['MB', 1e6];
  return `${(before / bytes).toFixed(1)} → ${(after / bytes).toFixed(1)} ${unit}`;
}
// Of an error: null stands for none at all.
const decibels = (error) => (error === undefined ? '' : error.sqnr_db === null ? 'exact' : error.sqnr_db.toFixed(1));
const shortOp = (op) => op.replace(/^aten\./, '').replace(/\.default$/, '');

// ---------------------------------------------------------------------------------------------------------- summary

function showSummary() {
  const {quantized, in_float, float_bytes, quantized_bytes} = report.summary;
  const tile = (value, text) => element('div', {class: 'tile'}, element('b', {}, value), element('span', {}, text));
  const tiles = [
    tile(`${quantized} of ${quantized + in_float}`, 'ops are quantized'),
    tile(sizes(float_bytes, quantized_bytes), 'weights, before and after'),
  ];
  for (const output of report.outputs) {
    tiles.push(tile(output.sqnr_db === null ? 'exact' : `${output.sqnr_db.toFixed(1)} dB`, `SQNR of the output ${output.name}`));
    if (output.same_argmax !== null) tiles.push(tile(percent(output.same_argmax), `same decision in ${output.name} as in float`));
  }
  const worst = ops.filter((op) => op.own && op.own.sqnr_db !== null).sort((a, b) => a.own.sqnr_db - b.own.sqnr_db)[0];
  if (worst) tiles.push(tile(`${worst.own.sqnr_db.toFixed(1)} dB`, `the op that adds most of the noise: ${worst.name}`));
  document.getElementById('summary').replaceChildren(...tiles);
}

// ------------------------------------------------------------------------------------------------- error along the network

function showErrors() {
  const place = document.getElementById('plot');
  const measured = ops.filter((op) => op.total && op.total.sqnr_db !== null);
  if (measured.length === 0) {
    place.replaceChildren(element('p', {class: 'empty'}, 'Not measured: give the report data to run both programs on (--input).'));
    return;
  }
  const width = 1190, height = 300, left = 46, right = 12, top = 12, bottom = 28;
  const values = measured.flatMap((op) => [op.total, op.own]).filter((error) => error && error.sqnr_db !== null).map((error) => error.sqnr_db);
  const low = Math.floor(Math.min(0, ...values) / 10) * 10;
  const high = Math.max(10, Math.ceil(Math.max(...values) / 10) * 10);
  const x = (op) => left + ((width - left - right) * (op.index + 0.5)) / ops.length;
  const y = (db) => top + ((height - top - bottom) * (high - db)) / (high - low);

  const chart = svg('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'SQNR of each op in dB'});
  const step = high - low > 80 ? 20 : 10;
  for (let db = low; db <= high; db += step) {
    chart.append(svg('line', {class: 'grid', x1: left, x2: width - right, y1: y(db), y2: y(db)}));
    chart.append(svg('text', {x: left - 6, y: y(db) + 4, 'text-anchor': 'end'}, `${db} dB`));
  }
  chart.append(svg('text', {x: left, y: height - 8}, 'input'), svg('text', {x: width - right, y: height - 8, 'text-anchor': 'end'}, 'output'));
  chart.append(svg('polyline', {class: 'total', points: measured.map((op) => `${x(op)},${y(op.total.sqnr_db)}`).join(' ')}));
  const radius = ops.length > 600 ? 2 : 4;
  for (const op of measured) {
    const error = op.own || op.total;
    if (error.sqnr_db === null) continue;
    const point = svg('circle', {class: 'own', cx: x(op), cy: y(error.sqnr_db), r: radius});
    point.append(svg('title', {}, `${op.name} (${shortOp(op.op)})\nadds ${decibels(op.own) || '?'} dB, in all ${decibels(op.total)} dB`));
    point.addEventListener('click', () => update({open: op.name, filter: '', status: ''}, true));
    chart.append(point);
  }
  const key = (colour, text) => element('span', {}, element('i', {style: `background: var(--${colour})`}), text);
  const own = measured.some((op) => op.own);
  place.replaceChildren(chart, element('div', {class: 'legend'},
    key('own', own ? 'noise that the op adds itself' : 'noise at the op'), key('total', 'all noise up to there')));
}

// -------------------------------------------------------------------------------------------------------- the table

const db = (error) => (error === undefined ? Infinity : error.sqnr_db === null ? 1e9 : error.sqnr_db);
const inputTypes = (op) => [...new Set(op.inputs.map((tensor) => tensor.dtype))].join(', ');
const COLUMNS = [
  {key: 'index', title: '#', class: 'number', value: (op) => op.index},
  {key: 'name', title: 'Node', class: 'name', value: (op) => op.name},
  {key: 'op', title: 'Op', value: (op) => shortOp(op.op)},
  {key: 'module', title: 'Module', class: 'name', value: (op) => op.module},
  {key: 'status', title: 'Runs in', value: (op) => (op.quantized ? inputTypes(op) || 'int8' : 'float'), css: (op) => (op.quantized ? 'int8' : 'float')},
  {key: 'rule', title: 'Rule', value: (op) => op.rule, text: (op) => op.rule || '–'},
  {key: 'own', title: 'Adds, dB', class: 'number', value: (op) => db(op.own), text: (op) => decibels(op.own)},
  {key: 'total', title: 'In all, dB', class: 'number', value: (op) => db(op.total), text: (op) => decibels(op.total)},
];

function chosenOps() {
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (op) => `${op.name} ${op.op} ${op.module} ${op.rule} ${op.why_not}`.toLowerCase();
  const chosen = ops.filter((op) =>
    (view.status === '' || (view.status === 'int8') === op.quantized) && words.every((word) => text(op).includes(word)));
  const column = COLUMNS.find(({key}) => key === view.sort) || COLUMNS[0];
  const compare = (a, b) => {
    const p = column.value(a), q = column.value(b);
    return p < q ? -1 : p > q ? 1 : a.index - b.index;
  };
  chosen.sort(compare);
  return view.down ? chosen.reverse() : chosen;
}

function showHead() {
  const cells = COLUMNS.map((column) => {
    const sort = column.key !== view.sort ? 'none' : view.down ? 'descending' : 'ascending';
    const cell = element('th', {class: column.class, 'aria-sort': sort, tabindex: 0}, column.title);
    const toggle = () => update({sort: column.key, down: view.sort === column.key && !view.down ? '1' : ''});
    cell.addEventListener('click', toggle);
    cell.addEventListener('keydown', (event) => event.key === 'Enter' && toggle());
    return cell;
  });
  document.querySelector('#ops thead').replaceChildren(element('tr', {}, ...cells));
}

function showRows() {
  const chosen = chosenOps();
  const rows = [];
  for (const op of chosen) {
    const open = view.open === op.name;
    const cells = COLUMNS.map((column) => {
      const classes = [column.class, column.css && column.css(op)].filter(Boolean).join(' ');
      return element('td', classes ? {class: classes} : {}, String((column.text || column.value)(op)));
    });
    const row = element('tr', {class: open ? 'op open' : 'op', tabindex: 0, 'aria-expanded': String(open), 'data-name': op.name}, ...cells);
    const toggle = () => update({open: open ? '' : op.name});
    row.addEventListener('click', toggle);
    row.addEventListener('keydown', (event) => event.key === 'Enter' && toggle());
    rows.push(row);
    if (open) rows.push(element('tr', {class: 'details'}, element('td', {colspan: COLUMNS.length}, ...details(op))));
  }
  document.querySelector('#ops tbody').replaceChildren(...rows);
  document.getElementById('count').textContent = `${chosen.length} of ${ops.length} ops`;
}

// ------------------------------------------------------------------------------------------------------ one op in full

function details(op) {
  const parts = [];
  const verdict = op.quantized ? (op.rule ? `Quantized by ${op.rule}.` : 'Takes quantized values.') : 'In float.';
  parts.push(element('p', {}, op.why_not ? `${verdict} ${op.why_not}` : verdict));
  if (op.source) parts.push(element('p', {class: 'soft'}, op.source));
  const tensors = [...op.inputs.map((tensor) => ['in', tensor]), ...op.outputs.map((tensor) => ['out', tensor])];
  if (tensors.length > 0) parts.push(tensorTable(tensors));
  const seen = new Set();
  const figures = [];
  for (const [, tensor] of tensors) {
    const observed = report.observed[tensor.name];
    if (!observed || observed.share.length === 0 || seen.has(tensor.name)) continue;
    seen.add(tensor.name);
    figures.push(histogram(tensor, observed));
  }
  if (figures.length > 0) parts.push(element('div', {class: 'histograms'}, ...figures));
  return parts;
}

function tensorTable(tensors) {
  const titles = ['', 'Tensor', 'dtype', 'Scheme', 'Scale', 'Zero point', 'Range', 'Seen', 'Observer'];
  const head = element('tr', {}, ...titles.map((title) => element('th', {}, title)));
  const rows = tensors.map(([role, tensor]) => {
    const channels = tensor.channels > 1 ? ` (${tensor.channels} channels)` : '';
    const atRunTime = tensor.dynamic ? 'at run time' : null;
    const cells = [role, tensor.name, tensor.dtype, tensor.scheme || '–', atRunTime || bounds(tensor.scale) + channels,
      atRunTime || bounds(tensor.zero_point), bounds(tensor.range), bounds(tensor.seen), tensor.observer || '–'];
    return element('tr', {}, ...cells.map((cell) => element('td', {}, cell)));
  });
  return element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows));
}

// Bars on a logarithmic scale, since a few values far out decide the range; what the range cuts off is shaded.
function histogram(tensor, observed) {
  const width = 360, height = 120, left = 8, right = 8, top = 6, bottom = 18;
  const range = tensor.range || [observed.min, observed.max];
  const low = Math.min(observed.min, range[0]), high = Math.max(observed.max, range[1]);
  const span = high - low || 1;
  const x = (value) => left + ((width - left - right) * (value - low)) / span;
  const least = 1e-6;
  const barHeight = (share) => (share <= 0 ? 0 : ((height - top - bottom) * Math.max(Math.log10(share / least), 0.15)) / 6);
  const chart = svg('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `Histogram of ${tensor.name}`});
  const floor = height - bottom;
  const step = (observed.max - observed.min) / observed.share.length;
  observed.share.forEach((share, i) => {
    const from = x(observed.min + i * step), tall = barHeight(share);
    chart.append(svg('rect', {class: 'bar', x: from, y: floor - tall, width: Math.max(x(observed.min + (i + 1) * step) - from, 0.5), height: tall}));
  });
  const cut = (from, to) => to > from && chart.append(svg('rect', {class: 'clip', x: x(from), y: top, width: x(to) - x(from), height: floor - top}));
  cut(low, range[0]);
  cut(range[1], high);
  for (const edge of range) chart.append(svg('line', {class: 'edge', x1: x(edge), x2: x(edge), y1: top, y2: floor}));
  chart.append(svg('line', {class: 'grid', x1: left, x2: width - right, y1: floor, y2: floor}));
  chart.append(svg('text', {x: left, y: height - 5}, number(low)), svg('text', {x: width - right, y: height - 5, 'text-anchor': 'end'}, number(high)));
  const beyond = observed.share.reduce((sum, share, i) => {
    const middle = observed.min + (i + 0.5) * step;
    return middle < range[0] || middle > range[1] ? sum + share : sum;
  }, 0);
  const clipped = beyond > 0 ? `${(100 * beyond).toPrecision(2)} % of the values are clamped` : 'nothing is clamped';
  return element('figure', {}, chart,
    element('figcaption', {}, `${tensor.name}: values seen (log scale), range ${bounds(range)}, ${clipped}`));
}

// ------------------------------------------------------------------------------------------------------ ops in float

function showReasons() {
  const reasons = new Map();
  for (const op of ops) {
    if (op.quantized) continue;
    const reason = op.why_not || 'no reason is recorded';
    if (!reasons.has(reason)) reasons.set(reason, []);
    reasons.get(reason).push(op);
  }
  const place = document.getElementById('reasons');
  if (reasons.size === 0) {
    place.replaceChildren(element('p', {class: 'empty'}, 'Every op takes quantized values.'));
    return;
  }
  const rows = [...reasons].sort((a, b) => b[1].length - a[1].length).map(([reason, list]) => {
    const names = list.slice(0, 8).map((op) => op.name).join(', ') + (list.length > 8 ? `, and ${list.length - 8} more` : '');
    return element('tr', {}, element('td', {class: 'number'}, String(list.length)), element('td', {}, reason), element('td', {class: 'name'}, names));
  });
  const head = element('tr', {}, element('th', {class: 'number'}, 'Ops'), element('th', {}, 'Why'), element('th', {}, 'Which'));
  place.replaceChildren(element('div', {class: 'scroll'}, element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows))));
}

// ------------------------------------------------------------------------------------------------------------- the view

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(view)) view[key] = given.get(key) ?? (key === 'sort' ? 'index' : '');
}

function show() {
  if (view.theme) document.documentElement.dataset.theme = view.theme;
  document.getElementById('filter').value = view.filter;
  document.getElementById('status').value = view.status;
  for (const point of document.querySelectorAll('circle.chosen')) point.classList.remove('chosen');
  showHead();
  showRows();
}

function update(changes, scroll = false) {
  Object.assign(view, changes);
  const given = Object.entries(view).filter(([key, value]) => value && !(key === 'sort' && value === 'index'));
  history.replaceState(null, '', `#${new URLSearchParams(given)}`);
  show();
  const row = scroll && document.querySelector(`tr.op.open`);
  if (row) row.scrollIntoView({block: 'center'});
}

document.querySelector('h1').textContent = report.title;
document.getElementById('filter').addEventListener('input', (event) => update({filter: event.target.value}));
document.getElementById('status').addEventListener('change', (event) => update({status: event.target.value}));
document.getElementById('theme').addEventListener('click', () => {
  const dark = view.theme ? view.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  update({theme: dark ? 'light' : 'dark'});
});
window.addEventListener('hashchange', () => { readAddress(); show(); });

readAddress();
showSummary();
showErrors();
showReasons();
show();
