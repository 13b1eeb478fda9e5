// Measured facts in words, and where a face is in a picture.

const count = (number) => number.toLocaleString("en");

/** A number with three digits that tell something. */
export function shown(value) {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return count(value);
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : value.toFixed(3);
}

/** Any fact: lists and records written out, "–" for nothing. */
export function worded(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (Array.isArray(value)) return value.map(worded).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, inner]) => `${name} ${worded(inner)}`).join(", ");
  return shown(value);
}

/** What a score says of a face: {score, value, fails}; null where it was not measured. */
function scored(score, facts) {
  let value = facts[score.fact];
  if (score.part !== null && Array.isArray(value)) value = value[score.part];
  if (typeof value !== "number") return null;
  const { bound, threshold } = score;
  return { score, value, fails: (bound === "least" && value < threshold) || (bound === "most" && value > threshold) };
}

/** Every score that was measured, in the dataset's order. */
export const scoresOf = (scores, facts) => scores.map((score) => scored(score, facts)).filter(Boolean);

/** The threshold of a score, as "≥ 30"; "" where it has none. */
export const limit = (score) => (score.bound ? `${score.bound === "least" ? "≥" : "≤"} ${score.threshold}` : "");

/** A score in the few letters that a tile has room for: "ipd 70 px", "yaw 1.2°", "asym5 0.12 > 0.045". */
export function brief({ score, value, fails }) {
  const [, name, unit] = score.fact.match(/^(.*?)(_px|_deg|_fraction|_share)?$/);
  const sign = { _px: " px", _deg: "°" }[unit] || "";
  return `${name.replaceAll("_", " ")} ${shown(value)}${sign}${fails ? ` ${score.bound === "least" ? "<" : ">"} ${score.threshold}` : ""}`;
}

/** An image with a frame around the face: box in px of a picture of that size, or null. */
export function framed(el, image, box, size) {
  if (!box || !size?.[0] || !size[1]) return el("span", { class: "framed" }, image);
  const frame = el("span", { class: "box" });
  const within = (value, whole) => Math.min(Math.max(value, 0), whole);
  const share = (from, to, whole) => `${(100 * (within(to, whole) - within(from, whole))) / whole}%`;
  frame.style.left = share(0, box.left, size[0]);
  frame.style.top = share(0, box.top, size[1]);
  frame.style.width = share(box.left, box.right, size[0]);
  frame.style.height = share(box.top, box.bottom, size[1]);
  return el("span", { class: "framed" }, image, frame);
}
