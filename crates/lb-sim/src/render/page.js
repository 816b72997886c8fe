// Values where one points.
for (const figure of document.querySelectorAll("figure[data-values]")) {
  const [names, ...rows] = figure.dataset.values.split("\n").map((line) => line.split("\t"));
  if (rows.length === 0) continue;
  const tip = figure.appendChild(Object.assign(document.createElement("div"), { className: "tip", hidden: true }));
  for (const svg of figure.querySelectorAll(":scope > svg")) {
    const [left, right] = [Number(svg.dataset.left), Number(svg.dataset.right)];
    const cursor = svg.appendChild(document.createElementNS(svg.namespaceURI, "line"));
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y2", svg.viewBox.baseVal.height);
    const show = (event) => {
      const [box, frame] = [svg.getBoundingClientRect(), figure.getBoundingClientRect()];
      const scale = box.width / svg.viewBox.baseVal.width;
      const part = ((event.clientX - box.left) / scale - left) / (right - left);
      const row = rows.reduce((best, row) => (Math.abs(row[0] - part) < Math.abs(best[0] - part) ? row : best));
      const x = left + row[0] * (right - left);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      const values = names.slice(1).map((name, index) => [name, row[index + 2]]).filter(([, value]) => value);
      tip.textContent = [row[1], ...values.map((pair) => pair.join(": "))].join("\n");
      svg.classList.add("pointed");
      tip.hidden = false;
      const room = frame.width - tip.offsetWidth;
      const at = x * scale + 12;
      tip.style.left = `${Math.max(0, at > room ? Math.min(room, at - tip.offsetWidth - 24) : at)}px`;
      tip.style.top = `${box.top - frame.top + 8}px`;
    };
    svg.addEventListener("pointermove", show);
    svg.addEventListener("pointerdown", show);
    svg.addEventListener("pointerleave", () => {
      svg.classList.remove("pointed");
      tip.hidden = true;
    });
  }
}

// A choice where there is one: all figures are shown without.
const sections = [...document.querySelectorAll("section[data-picks]")].map((section) => ({
  section,
  picks: section.dataset.picks.split("\n").map((line) => line.split("\t")),
}));
if (sections.length > 0) {
  const bar = Object.assign(document.createElement("p"), { className: "picker" });
  const selects = sections[0].picks.map(([what], index) => {
    const values = [...new Set(sections.map(({ picks }) => picks[index][1]))];
    if (values.length < 2) return null;
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
    const label = Object.assign(document.createElement("label"), { textContent: `${what}: ` });
    label.append(select);
    // Over one parameter after the other: the first is enough to begin with.
    select.selectedIndex = what === "Over" ? 1 : 0;
    bar.append(label);
    return select;
  });
  const pick = () => {
    for (const { section, picks } of sections) {
      section.hidden = selects.some((select, index) => select?.value && select.value !== picks[index][1]);
    }
  };
  bar.addEventListener("change", pick);
  if (bar.firstChild) sections[0].section.before(bar);
  pick();
}
