// Small plots over the frames of a clip: a line or marks, a threshold, a cursor. Colours are those of the sheet.

const TOP = 15;

export const colours = () => {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    ["ink", "soft", "line", "plot", "bad", "doubt", "accent", "sunk", "card"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
  );
};

/** Make a canvas as large as it is shown, in device pixels; returns its context in CSS pixels, and its size. */
export function prepare(canvas) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/** Left edge of frame n (from 1) of `count`, and the frame under x. */
export const edge = (n, count, width) => ((n - 1) / count) * width;
export const under = (x, count, width) => Math.min(count, Math.max(1, Math.floor((x / width) * count) + 1));

function label(pen, width, theme, title, value) {
  pen.font = '11px system-ui, "Noto Sans", sans-serif';
  pen.textBaseline = "top";
  pen.fillStyle = theme.soft;
  pen.textAlign = "left";
  pen.fillText(title, 0, 1);
  pen.fillStyle = theme.ink;
  pen.textAlign = "right";
  pen.fillText(value, width, 1);
}

export function cursor(pen, count, frame, width, height, theme) {
  const [left, right] = [edge(frame, count, width), edge(frame + 1, count, width)];
  pen.globalAlpha = 0.16;
  pen.fillStyle = theme.accent;
  pen.fillRect(left, TOP, Math.max(2, right - left), height - TOP);
  pen.globalAlpha = 1;
  pen.fillRect(left, TOP, 1.5, height - TOP);
}

/**
 * One plot: values (null: nothing measured) as a line; `limit` dashed; frames for which bad(value) holds are marked;
 * `bands` [{first, last}] hatched; `stems` draw values from zero. scale maps a value to what is drawn.
 */
export function plot(canvas, { title, value = "", values = [], limit = null, bad = () => false, bands = [], stems = false, scale = (v) => v, count, frame }) {
  const { pen, width, height } = prepare(canvas);
  if (!width || !height) return;
  const theme = colours();
  const known = values.filter((v) => v !== null && v !== undefined).map(scale);
  const all = limit === null ? known : [...known, scale(limit)];
  const low = Math.min(stems ? 0 : Infinity, ...all);
  const high = Math.max(stems ? 0 : -Infinity, ...all);
  const room = (high - low || 1) * 0.12;
  const y = (v) => height - 3 - ((scale(v) - low + room) / (high - low + 2 * room || 1)) * (height - TOP - 4);
  const x = (n) => (edge(n, count, width) + edge(n + 1, count, width)) / 2;
  pen.fillStyle = theme.sunk;
  pen.fillRect(0, TOP, width, height - TOP);
  for (const band of bands) hatch(pen, edge(band.first, count, width), edge(band.last + 1, count, width), height, band.bad ? theme.bad : theme.soft);
  if (limit !== null && known.length) {
    pen.strokeStyle = theme.doubt;
    pen.setLineDash([4, 3]);
    pen.beginPath();
    pen.moveTo(0, y(limit));
    pen.lineTo(width, y(limit));
    pen.stroke();
    pen.setLineDash([]);
  }
  pen.strokeStyle = theme.plot;
  pen.lineWidth = 1.5;
  pen.beginPath();
  let down = false;
  values.forEach((v, at) => {
    if (v === null || v === undefined) return (down = false);
    if (stems) pen.moveTo(x(at + 1), y(0)), pen.lineTo(x(at + 1), y(v));
    else if (down) pen.lineTo(x(at + 1), y(v));
    else pen.moveTo(x(at + 1), y(v));
    down = true;
    return down;
  });
  pen.stroke();
  pen.lineWidth = 1;
  pen.fillStyle = theme.bad;
  values.forEach((v, at) => v !== null && v !== undefined && bad(v) && triangle(pen, x(at + 1), y(v)));
  cursor(pen, count, frame, width, height, theme);
  label(pen, width, theme, title, value);
}

function triangle(pen, x, y) {
  pen.beginPath();
  pen.moveTo(x, y - 4);
  pen.lineTo(x + 3.5, y + 3);
  pen.lineTo(x - 3.5, y + 3);
  pen.fill();
}

function hatch(pen, left, right, height, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(left, TOP, Math.max(2, right - left), height - TOP);
  pen.clip();
  pen.globalAlpha = 0.2;
  pen.fillStyle = colour;
  pen.fillRect(left, TOP, right - left, height);
  pen.globalAlpha = 0.9;
  pen.strokeStyle = colour;
  pen.beginPath();
  for (let at = left - height; at < right; at += 7) pen.moveTo(at, height), pen.lineTo(at + height, TOP - 2);
  pen.stroke();
  pen.restore();
}

/** A waveform of [lowest, highest] pairs over `seconds`, with the part behind `end` (seconds, or null) struck out. */
export function waveform(canvas, { title, value = "", peaks, seconds, length, end, count, frame }) {
  const { pen, width, height } = prepare(canvas);
  if (!width || !height) return;
  const theme = colours();
  pen.fillStyle = theme.sunk;
  pen.fillRect(0, TOP, width, height - TOP);
  const middle = TOP + (height - TOP) / 2;
  const loudest = Math.max(0.02, ...peaks.map(([low, high]) => Math.max(-low, high)));
  const gain = (height - TOP - 4) / 2 / loudest;
  pen.fillStyle = theme.plot;
  const span = (width * seconds) / length;
  peaks.forEach(([low, high], at) => {
    const left = (at / peaks.length) * span;
    pen.fillRect(left, middle - high * gain, Math.max(1, span / peaks.length), Math.max(1, (high - low) * gain));
  });
  const cut = Math.min(width - 1, ((end ?? seconds) / length) * width);
  if (end !== null) hatch(pen, cut, width, height, theme.bad);
  pen.fillStyle = end === null ? theme.soft : theme.bad;
  pen.fillRect(cut - 1, TOP, 2, height);
  pen.fillRect(cut - 6, TOP, 12, 6);
  cursor(pen, count, frame, width, height, theme);
  label(pen, width, theme, title, value);
}
