"""Whether the pages say what is so: links, what commands name, versions, and README's length."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
MOST_WORDS = 800
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)


def pages():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    seen = {}
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*$", FENCE.sub("", page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        yield f"{slug}-{count}" if count else slug


def dead_links(page):
    for link in LINK.finditer(FENCE.sub("", page.read_text())):
        target = link[1] or link[2]
        # What rustdoc resolves, it checks itself.
        if re.match(r"[a-z]+:", target) or "::" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / unquote(path)).resolve() if path else page
        if not file.exists():
            yield f"{target}: there is no such file"
        elif not file.is_relative_to(ROOT):
            yield f"{target}: it is outside of the project"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield f"{target}: there is no such heading"


def packages():
    def of(manifest):
        command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest]
        return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)

    return {package["name"]: package for package in of("Cargo.toml")["packages"]}


def wrong_commands(page, packages):
    text = page.read_text()
    commands = re.findall(r"`((?:[A-Z_]+=\S+ )*(?:cargo|bash|scripts/|tests/|benches/)[^`\n]*)`", FENCE.sub("", text))
    blocks = re.findall(r"^```(?:sh|text)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"(?:^    .*\n?)+", FENCE.sub("", text), re.MULTILINE)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for command in commands + [line for line in lines if re.match(r"(?:[A-Z_]+=\S+ )*(cargo|scripts/|tests/|benches/)", line)]:
        words = re.sub(r"\s# .*", "", command).split(" -- ")[0].split()
        words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        by_path = re.match(r"(scripts|tests|benches)/", words[0]) and "NAME" not in words[0]
        if by_path and not (ROOT / words[0]).exists() and not (page.parent / words[0]).exists():
            yield f"{command}: there is no {words[0]}"
        if words[0] != "cargo":
            continue
        options = dict(zip(words, words[1:]))
        name = options.get("-p") or options.get("--package")
        if name and "$" not in name and name not in packages:
            yield f"{command}: there is no package {name}"
            continue
        package = packages.get(name or "lb-quickstart")
        for kind in ("bin", "example", "bench", "test"):
            target = options.get(f"--{kind}")
            if target and target not in [t["name"] for t in package["targets"] if kind in t["kind"]]:
                yield f"{command}: {package['name']} has no {kind} {target}"
        for feature in options.get("--features", "").replace(",", " ").split():
            # `cargo add` speaks of other packages.
            if words[1] in ("run", "test", "check", "build") and feature not in package["features"]:
                yield f"{command}: {package['name']} has no feature {feature}"


def wrong_versions(page, packages):
    """Of our crates, where a page says how to depend on them."""
    for name, version in re.findall(r"(lb-[a-z-]+) = (?:\{ version = )?\"(\d[^\"]*)\"", page.read_text()):
        if not packages[name]["version"].startswith(f"{version}."):
            yield f"{name} = \"{version}\": it is {packages[name]['version']}"


def main():
    problems = []
    known = packages()
    for page in pages():
        for problem in [*dead_links(page), *wrong_commands(page, known), *wrong_versions(page, known)]:
            problems.append(f"{page.relative_to(ROOT)}: {problem}")
    words = len((ROOT / "README.md").read_text().split())
    if words > MOST_WORDS:
        problems.append(f"README.md: {words} words, at most {MOST_WORDS}")
    print("\n".join(problems) or f"{len(pages())} pages; README has {words} words")
    sys.exit(bool(problems))


main()
