// The children on the staff panel: a tile for each, with where it is, and the groups to find it in.
import { byId, icon, paint } from "./screen.js";

let group = "";
let children = new Map();

export const childOf = (id) => children.get(id);

export function forgetChildren() {
  children = new Map();
  group = "";
  byId("children").replaceChildren();
  byId("groups").replaceChildren();
}

export function chooseGroup(key) {
  group = key;
  drawGroup();
  byId("children").scrollTop = 0;
}

export function drawChildren(answer) {
  const before = [...children.values()];
  const same = before.length === answer.children.length && before.every((each, at) => sameTile(each, answer.children[at]));
  children = new Map(answer.children.map((each) => [each.child, each]));
  const list = byId("children");
  if (!same) {
    list.replaceChildren(...answer.children.map(tile));
    drawGroups(answer.groups);
  }
  for (const item of list.children) drawWhere(item.firstChild, children.get(item.firstChild.dataset.child));
}

function sameTile(one, other) {
  return one.child === other.child && one.name === other.name && one.mark.label === other.mark.label;
}

function tile(each) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const mark = document.createElement("span");
  const name = document.createElement("span");
  const where = document.createElement("span");
  item.dataset.group = each.group;
  button.type = "button";
  button.dataset.child = each.child;
  mark.className = "tile colour";
  paint(mark, each.mark);
  if (each.name === each.mark.label) mark.setAttribute("aria-hidden", "true"); // read once
  name.className = "name";
  name.textContent = each.name;
  where.className = "where";
  button.append(mark, name, where);
  item.append(button);
  return item;
}

export function drawWhere(element, each) {
  if (element.dataset.where === each.whereabouts) return;
  element.dataset.where = each.whereabouts;
  const badge = { in: "in", left: "out" }[each.whereabouts];
  element.querySelector(".where").replaceChildren(...(badge ? [icon(`badge-${badge}`)] : []), each.said);
}

function drawGroups(groups) {
  if (!groups.some((each) => each.key === group)) group = "";
  const all = { key: "", label: byId("panel").dataset.all, colour: "" };
  byId("groups").replaceChildren(...(groups.length ? [all, ...groups] : []).map(groupButton));
  drawGroup();
}

function groupButton(each) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.group = each.key;
  if (each.colour) {
    const patch = document.createElement("span");
    patch.className = "patch colour";
    patch.dataset.colour = each.colour;
    button.append(patch);
  }
  button.append(each.label);
  return button;
}

function drawGroup() {
  for (const button of byId("groups").children) button.setAttribute("aria-pressed", String(button.dataset.group === group));
  for (const item of byId("children").children) item.hidden = group !== "" && item.dataset.group !== group;
}
