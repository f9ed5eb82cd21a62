// Every text that is to be seen, with the contrast ratio of WCAG 2 to what lies behind it.
const channels = (colour) => {
  const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
  return { rgb: [red, green, blue], alpha };
};
const over = (top, alpha, bottom) => top.map((x, i) => alpha * x + (1 - alpha) * bottom[i]);
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((x) => (x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const lineage = (element) => (element ? [...lineage(element.parentElement), element] : []);
const ratio = (element) => {
  const style = getComputedStyle(element);
  const ink = channels(element instanceof SVGElement ? style.fill : style.color);
  let paper = [255, 255, 255];
  let alpha = ink.alpha;
  for (const each of lineage(element)) {
    const own = getComputedStyle(each);
    const behind = channels(own.backgroundColor);
    paper = over(behind.rgb, behind.alpha, paper);
    alpha *= Number(own.opacity);
  }
  const [low, high] = [paper, over(ink.rgb, alpha, paper)].map(luminance).sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const texts = [...document.body.querySelectorAll("*")].filter((element) =>
  !["SCRIPT", "STYLE", "OPTION"].includes(element.tagName) &&
  element.getClientRects().length > 0 &&
  [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
return texts.map((element) => [`${element.tagName}: ${element.textContent.trim().slice(0, 40)}`, ratio(element)]);
