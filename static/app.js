/*
 * What pages do beyond links, forms and htmx. Every page works without this file.
 * Contract of the markup: docs/web-components.md, "What app.js looks for".
 */
"use strict";

(() => {
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const words = document.body.dataset; // written by the server: data-text-*

  /* --- announcements ------------------------------------------------------------------------------------------- */

  function announce(text) {
    const live = one("#live");
    if (!live || !text) return;
    live.textContent = "";
    // A region that is emptied and filled in one task is not read again when the text is the same.
    setTimeout(() => { live.textContent = text; }, 50);
  }

  /* --- light or dark: at once here, and in a cookie for the server's next page ------------------------------------ */

  function setTheme(theme) {
    const chosen = theme === "light" || theme === "dark";
    if (chosen) root.dataset.bsTheme = theme;
    else delete root.dataset.bsTheme;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${chosen ? theme : ""}; path=/; samesite=lax; max-age=${chosen ? 31536000 : 0}${secure}`;
    for (const button of all("[data-theme-switch] [name=theme]")) {
      button.setAttribute("aria-pressed", String(button.value === (chosen ? theme : "auto")));
    }
  }

  /* --- copying ----------------------------------------------------------------------------------------------------- */

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      copyBySelection(button.dataset.copy);
    }
    button.classList.add("is-done");
    announce(words.textCopied);
    setTimeout(() => button.classList.remove("is-done"), 1500);
  }

  // The clipboard interface exists on https and localhost only.
  function copyBySelection(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  /* --- dialogs: popovers without this file, modal with it ------------------------------------------------------------ */

  // Closing gives the focus back to where it was: dialogs do that by themselves.
  function openDialog(dialog) {
    if (dialog.open) return;
    if (dialog.matches("[popover]:popover-open")) dialog.hidePopover();
    dialog.showModal();
  }

  function onPopoverButton(event, button) {
    const dialog = document.getElementById(button.getAttribute("popovertarget"));
    if (!(dialog instanceof HTMLDialogElement)) return;
    event.preventDefault();
    if (button.getAttribute("popovertargetaction") === "hide") dialog.close();
    else openDialog(dialog);
  }

  /* --- forms: ask first, send once ---------------------------------------------------------------------------------- */

  const sent = new WeakSet();
  const confirmed = new WeakSet();

  function onSubmit(event) {
    const form = event.target;
    const submitter = event.submitter;
    if (form.matches("[data-theme-switch]") && submitter) {
      event.preventDefault();
      setTheme(submitter.value);
      return;
    }
    if (form.method === "dialog") return;
    const question = submitter?.dataset.confirm ?? form.dataset.confirm;
    if (question && !confirmed.has(form)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      ask(question, submitter).then((yes) => {
        if (!yes) return;
        confirmed.add(form);
        form.requestSubmit(submitter);
        confirmed.delete(form);
      });
      return;
    }
    if (form.method !== "post") return;
    if (sent.has(form)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    sent.add(form);
    form.setAttribute("aria-busy", "true");
  }

  function release(form) {
    sent.delete(form);
    form.removeAttribute("aria-busy");
  }

  function ask(question, opener) {
    const dialog = one("#confirm-dialog");
    if (!dialog) return Promise.resolve(window.confirm(question));
    one("#confirm-question").textContent = question;
    const yes = one("[data-confirm-yes]", dialog);
    yes.textContent = opener?.dataset.confirmLabel ?? opener?.textContent.trim() ?? yes.textContent;
    yes.className = `btn ${opener?.matches(".btn-danger, .btn-outline-danger") ? "btn-danger" : "btn-primary"}`;
    dialog.returnValue = "no";
    openDialog(dialog);
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
  }

  /* --- keys ---------------------------------------------------------------------------------------------------------- */

  const KEYS_OFF = "single-keys-off";

  function keysAreOn() {
    try {
      return localStorage.getItem(KEYS_OFF) === null;
    } catch {
      return true;
    }
  }

  function setKeys(on) {
    try {
      if (on) localStorage.removeItem(KEYS_OFF);
      else localStorage.setItem(KEYS_OFF, "1");
    } catch {
      // Storage is switched off: the choice holds for this page only, which the checkbox shows.
    }
  }

  function onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !keysAreOn()) return;
    if (event.target.closest("input, textarea, select, [contenteditable]") || one("dialog[open], :popover-open")) return;
    if (event.key === "/") {
      const search = one("[data-search]");
      if (!search) return;
      event.preventDefault();
      search.closest("details")?.setAttribute("open", "");
      search.focus();
      search.select?.();
    } else if (event.key === "j" || event.key === "k") {
      moveRow(event.key === "j" ? 1 : -1);
    } else if (event.key === "?") {
      const help = one("#help-dialog");
      if (help) openDialog(help);
    }
  }

  function moveRow(step) {
    const rows = all("[data-row]").filter((row) => row.checkVisibility());
    if (!rows.length) return;
    const here = rows.findIndex((row) => row.contains(document.activeElement));
    const place = here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, here + step));
    const link = one("a[href], button", rows[place]);
    link?.focus();
    rows[place].scrollIntoView({ block: "nearest" });
  }

  /* --- htmx ------------------------------------------------------------------------------------------------------------ */

  const isPoll = (element) => element?.matches?.("[data-poll]");

  // A poll waits while nobody looks, while somebody types or has typed in the part, and while a dialog is open in it.
  function pollShouldWait(element) {
    if (document.hidden) return true;
    const active = document.activeElement;
    if (element.contains(active) && active.matches("input, textarea, select")) return true;
    if (all("textarea, input:not([type=hidden])", element).some(isTyped)) return true;
    return Boolean(one("dialog[open], [popover]:popover-open", element));
  }

  // A refused form comes back with what was typed: in a text area that is all there can be.
  const isTyped = (field) => field.value !== (field.matches("textarea") ? "" : field.defaultValue);

  function onBeforeRequest(event) {
    const element = event.detail.elt;
    if (isPoll(element) && pollShouldWait(element)) event.preventDefault();
  }

  function onConfigRequest(event) {
    const { elt, verb, headers } = event.detail;
    if (verb !== "get" || !isPoll(elt)) return;
    headers["X-Background"] = "poll"; // nobody asked: it keeps no session alive
    if (elt.dataset.poll) headers["If-None-Match"] = elt.dataset.poll;
  }

  function onBeforeSwap(event) {
    const { elt, xhr } = event.detail;
    if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget")) event.detail.shouldSwap = true;
    // The poll was sent before the typing began; the next one brings the change.
    if (isPoll(elt) && pollShouldWait(elt)) event.detail.shouldSwap = false;
    kept = isPoll(elt) ? stateOf(elt) : null;
  }

  // What the user did in a polled part, for the one that takes its place. htmx keeps the focus of what has an id.
  let kept = null;
  const textOf = (element) => element.textContent.trim();

  function stateOf(part) {
    const active = document.activeElement;
    const focus = part.contains(active) && !active.id ? { name: active.localName, text: textOf(active) } : null;
    return { open: all("details[open] > summary", part).map(textOf), focus };
  }

  function restore(part, { open, focus }) {
    for (const summary of all("details > summary", part)) {
      if (open.includes(textOf(summary))) summary.parentElement.open = true;
    }
    if (focus) all(focus.name, part).find((each) => textOf(each) === focus.text)?.focus();
  }

  function onAfterRequest(event) {
    const form = event.detail.elt.closest("form");
    if (form) release(form);
  }

  function onFailure(event) {
    const { elt, xhr } = event.detail;
    if (!isPoll(elt) && !xhr?.getResponseHeader("HX-Retarget")) showToast(words.textNoAnswer);
  }

  function onAfterSwap(event) {
    const part = event.detail.elt;
    if (kept && isPoll(part)) restore(part, kept);
    kept = null;
    const news = part.matches("[data-announce]") ? part : one("[data-announce]", part);
    if (news && news.dataset.announce !== said) {
      said = news.dataset.announce;
      announce(said);
    }
    if (part.dataset.waiting !== undefined) showWaiting(Number(part.dataset.waiting));
    if (part.id === "toasts" && part.lastElementChild) {
      announce(part.lastElementChild.textContent.trim());
      expire(part.lastElementChild);
    }
    measureTables();
  }

  // How many promotions wait for the person: in the title of the tab, in the navigation and beside its button.
  function showWaiting(number) {
    document.title = (number ? `(${number}) ` : "") + document.title.replace(/^\(\d+\) /, "");
    for (const each of all("[data-waiting-count]")) {
      one(".count", each).textContent = number;
      each.hidden = !number;
    }
  }

  let said = one("main [data-announce]")?.dataset.announce ?? null;

  function showToast(text) {
    const toasts = one("#toasts");
    if (!toasts) return;
    const toast = document.createElement("div");
    toast.className = "callout";
    toast.dataset.tone = "stop";
    toast.textContent = text;
    toasts.append(toast);
    announce(text);
  }

  // Good news leaves by itself; what went wrong stays until it is dismissed or the page changes.
  function expire(toast) {
    if (toast.dataset.tone === "go" || toast.dataset.tone === "info") setTimeout(() => toast.remove(), 8000);
  }

  /* --- tables: only one that scrolls is a stop for the Tab key ----------------------------------------------------------- */

  function measureTables() {
    for (const wrap of all(".table-wrap")) {
      if (wrap.scrollWidth > wrap.clientWidth) wrap.tabIndex = 0;
      else wrap.removeAttribute("tabindex");
    }
  }

  /* --- wiring ------------------------------------------------------------------------------------------------------------ */

  document.addEventListener("click", (event) => {
    const target = event.target.closest("button, a");
    if (!target) return;
    if (target.getAttribute("aria-disabled") === "true") event.preventDefault();
    else if (target.dataset.copy !== undefined) copy(target);
    else if (target.dataset.dismiss !== undefined) target.closest(".callout")?.remove();
    else if (target.hasAttribute("popovertarget")) onPopoverButton(event, target);
  });
  // In the capture phase: before htmx sees the event.
  document.addEventListener("submit", onSubmit, true);
  document.addEventListener("keydown", onKey);
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-single-keys]")) setKeys(event.target.checked);
  });
  document.addEventListener("htmx:beforeRequest", onBeforeRequest);
  document.addEventListener("htmx:configRequest", onConfigRequest);
  document.addEventListener("htmx:beforeSwap", onBeforeSwap);
  document.addEventListener("htmx:afterRequest", onAfterRequest);
  document.addEventListener("htmx:responseError", onFailure);
  document.addEventListener("htmx:sendError", onFailure);
  document.addEventListener("htmx:afterSwap", onAfterSwap);
  // A page restored by the back button must be able to send again.
  window.addEventListener("pageshow", () => all("form[aria-busy]").forEach(release));
  window.addEventListener("resize", measureTables);

  const keys = one("[data-single-keys]");
  if (keys) keys.checked = keysAreOn();
  one(".error-summary")?.focus();
  measureTables();
})();
