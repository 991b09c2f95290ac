/* The little that pages do by themselves: draw charts, switch the theme, copy, and hold still while one looks.
   Charts come from the server as plain options; here they get the theme's colours and their number formats. */
(function () {
  "use strict";

  const drawn = new Map(); // element -> ECharts instance
  const digits = (size) => (size === 0 || size >= 1000 ? 0 : size >= 1 ? 2 : Math.min(9, 2 - Math.floor(Math.log10(size))));
  const number = (value, least, most) =>
    value.toLocaleString("en-US", { minimumFractionDigits: Math.min(least, most), maximumFractionDigits: most });
  // On an axis figures are round; in a tip they are money.
  const axis = {
    "@usd": (value) => "$" + number(value, 0, digits(Math.abs(value))),
    "@count": (value) => number(value, 0, 0),
    "@percent": (value) => number(value * 100, 0, 1) + " %",
    "@wh": (value) => number(value, 0, digits(Math.abs(value))) + " Wh",
    "@ms": (value) => (value >= 1000 ? number(value / 1000, 0, 1) + " s" : number(value, 0, 1) + " ms"),
  };
  const inTip = { "@usd": (value) => "$" + number(value, 2, digits(Math.abs(value)) || 2), "@count": (value) => number(value, 0, 0) };

  function revive(value, style) {
    if (Array.isArray(value)) return value.map((item) => revive(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, revive(item, style)]));
    }
    if (typeof value !== "string") return value;
    if (value.startsWith("var(--")) return style.getPropertyValue(value.slice(4, -1)).trim();
    return axis[value] || value;
  }

  function tip(format) {
    // Elements, not HTML: the page's policy allows no style attributes.
    return (points) => {
      const box = document.createElement("div");
      box.className = "tip";
      const title = box.appendChild(document.createElement("b"));
      title.textContent = points[0].axisValueLabel;
      let sum = 0;
      for (const point of points) {
        sum += point.value;
        line(box, point.seriesName, format(point.value));
      }
      if (points.length > 1) line(box, "would have cost", format(sum));
      return box;
    };
  }

  function tipOfPoint(point) {
    const box = document.createElement("div");
    box.className = "tip";
    box.appendChild(document.createElement("b")).textContent = point.name;
    for (const [name, text] of point.data.tip || []) line(box, name, text);
    return box;
  }

  function line(box, name, text) {
    const row = box.appendChild(document.createElement("span"));
    row.append(document.createElement("i"), document.createElement("i"));
    row.firstChild.textContent = name;
    row.lastChild.textContent = text;
  }

  function draw(element) {
    if (!window.echarts) return;
    const plan = JSON.parse(element.dataset.chart);
    const style = getComputedStyle(document.documentElement);
    const option = revive(plan, style);
    option.textStyle = { fontFamily: getComputedStyle(document.body).fontFamily };
    option.tooltip = {
      ...option.tooltip,
      confine: true,
      borderWidth: 0,
      padding: 0,
      backgroundColor: "transparent",
      extraCssText: "box-shadow: none",
      formatter: plan.tooltip.trigger === "item" ? tipOfPoint : tip(inTip[plan.yAxis.axisLabel.formatter] || String),
    };
    let chart = drawn.get(element);
    if (!chart) {
      chart = window.echarts.init(element, null, { renderer: "svg" });
      drawn.set(element, chart);
      sizes.observe(element);
    }
    chart.setOption(option, true);
  }

  const sizes = new ResizeObserver((changes) => {
    for (const change of changes) drawn.get(change.target)?.resize();
  });

  function drawAll() {
    for (const [element, chart] of drawn) {
      if (document.contains(element)) continue;
      sizes.unobserve(element);
      chart.dispose();
      drawn.delete(element);
    }
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  function toggleTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = "theme=" + root.dataset.theme + ";path=/;max-age=31536000;samesite=strict";
    drawAll();
  }

  async function copy(button) {
    const text = button.parentElement.querySelector("pre").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
      button.textContent = "press Ctrl C";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1600);
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-theme-toggle], [data-copy]");
    if (!target) return;
    if (target.hasAttribute("data-copy")) copy(target);
    else toggleTheme();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelectorAll("details.sure[open]").forEach((d) => d.removeAttribute("open"));
  });

  // What renews itself waits while nobody sees it, while someone points at it, has opened something in it, or is on it
  // with the keyboard: nothing moves under a hand.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.target;
    if (!part.matches("#live, #figures")) return;
    const held = part.querySelector(".scroll:hover, .chart:hover, .needs:hover, details[open]") || part.contains(document.activeElement);
    if (document.hidden || held) event.preventDefault();
  });
  document.addEventListener("htmx:afterSettle", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
})();
