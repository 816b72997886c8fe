// Opens pages in Chromium at two widths, light and dark, and says what cannot be read:
//   overflow    the page is wider than the window
//   small       text in a figure that is shown at less than 9 px
//   outside     text that leaves its figure
//   collides    two texts of a figure that lie on each other
//   broken      a number in a table that goes over two lines
//   faint       text with too little contrast to what is behind it
//   script      an error of a page's script, or a request to the network
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, home] = process.argv.slice(2);
const WIDTHS = [400, 1280];
const SCHEMES = ["light", "dark"];
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update"];

// Runs in the page.
function look() {
    const found = [];
    const say = (kind, what) => found.push({ kind, what: String(what).trim().replace(/\s+/g, " ").slice(0, 80) });
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) say("overflow", `${root.scrollWidth} px in ${root.clientWidth}`);

    for (const svg of document.querySelectorAll("svg")) {
        const frame = svg.getBoundingClientRect();
        if (frame.width === 0) continue;
        const texts = [...svg.querySelectorAll("text")].map((text) => ({ text, box: text.getBoundingClientRect() }));
        for (const { text, box } of texts) {
            const size = parseFloat(getComputedStyle(text).fontSize) * svg.getScreenCTM().a;
            if (size < 9) say("small", `${size.toFixed(1)} px: ${text.textContent}`);
            const over = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
            if (over > 1) say("outside", `${over.toFixed(0)} px: ${text.textContent}`);
        }
        for (const [index, one] of texts.entries()) {
            const wide = (box) => box.width > box.height;
            for (const other of texts.slice(index + 1).filter((other) => wide(other.box) && wide(one.box))) {
                const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
                const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
                // Boxes of lines are higher than their letters.
                if (across > 0 && down > 6) say("collides", `${one.text.textContent} ${other.text.textContent}`);
            }
        }
    }

    // A number with its sign and its unit.
    const number = /[-+±<≤$]?\s?\d[\d,.]*(?:\s(?:%|pt|µs|ms|s|min|h|days|k|M|G|T|PTUs?)(?![\p{L}\d]))?(?:\/s)?/gu;
    for (const cell of document.querySelectorAll("td, th, .value")) {
        const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const node = walker.currentNode;
            for (const match of node.textContent.matchAll(number)) {
                const range = document.createRange();
                range.setStart(node, match.index);
                range.setEnd(node, match.index + match[0].length);
                const tops = new Set([...range.getClientRects()].filter((box) => box.width > 0).map((box) => Math.round(box.top)));
                if (tops.size > 1) say("broken", `${match[0]} in: ${cell.textContent}`);
            }
        }
    }

    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => {
        const [r, g, b] = rgba(colour).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (rgba(colour)[3] > 250) return colour;
        }
        return matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#fff";
    };
    const seen = new Set();
    for (const element of document.querySelectorAll("body *")) {
        const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        const box = element.getBoundingClientRect();
        if (!isText || box.width === 0 || element.matches("script, style, svg title")) continue;
        const style = getComputedStyle(element);
        const colour = element.matches("svg text") ? style.fill : style.color;
        const [one, other] = [light(colour), light(behind(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        const key = `${element.tagName} ${element.className} ${colour}`;
        if (contrast < 4.5 && !seen.has(key)) say("faint", `${contrast.toFixed(1)}: ${element.textContent}`);
        seen.add(key);
    }
    if (light(behind(document.body)) > 0.2 && matchMedia("(prefers-color-scheme: dark)").matches) say("faint", "the page is light in the dark");
    return found;
}

const profile = await mkdtemp(join(home, "profile."));
const browser = await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS, headless: true });
let findings = 0;
const kinds = {};
try {
    const page = browser.pages()[0] ?? (await browser.newPage());
    const troubles = [];
    page.on("pageerror", (error) => troubles.push({ kind: "script", what: error.message }));
    page.on("request", (request) => {
        if (!request.url().startsWith("file:")) troubles.push({ kind: "script", what: request.url() });
    });
    const files = (await readdir(join(home, "html"))).filter((name) => name.endsWith(".html")).sort();
    for (const file of files) {
        await page.goto(pathToFileURL(join(home, "html", file)).href);
        for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: 900 });
            for (const colorScheme of SCHEMES) {
                await page.emulateMedia({ colorScheme });
                const found = [...(await page.evaluate(look)), ...troubles.splice(0)];
                await page.screenshot({ path: join(home, "screenshots", `${file.slice(0, -5)}-${width}-${colorScheme}.png`), fullPage: true });
                findings += found.length;
                for (const { kind } of found) kinds[kind] = (kinds[kind] ?? 0) + 1;
                for (const { kind, what } of found.slice(0, 5)) console.log(`${file} ${width} ${colorScheme}: ${kind}: ${what}`);
                if (found.length > 5) console.log(`${file} ${width} ${colorScheme}: and ${found.length - 5} more`);
            }
        }
    }
    console.log(`${files.length} pages, ${WIDTHS.length} widths, light and dark: ${findings} findings`, kinds);
    if (files.length === 0) findings = 1;
} finally {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
}
process.exitCode = findings > 0 ? 1 : 0;
