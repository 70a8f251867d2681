// Comfort only: every page works without this file.
(function () {
  "use strict";

  // Buttons that need script are hidden in the page and shown here.
  function reveal() {
    for (const button of document.querySelectorAll("[data-copy], [data-print]")) button.hidden = false;
    for (const box of document.querySelectorAll("[data-tick-all]")) box.closest("[hidden]")?.removeAttribute("hidden");
  }

  function say(text) {
    document.getElementById("announce").textContent = text;
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-copy], [data-print]");
    if (!button) return;
    if ("print" in button.dataset) return window.print();
    const text = document.getElementById(button.dataset.copy).textContent.trim();
    navigator.clipboard.writeText(text).then(
      () => say("Copied."),
      () => say("The browser did not allow copying."),
    );
  });

  // One box that ticks all others of its form.
  document.addEventListener("change", function (event) {
    if (!("tickAll" in event.target.dataset)) return;
    for (const box of event.target.form.querySelectorAll("[type=checkbox][name]")) box.checked = event.target.checked;
  });

  // A whole page where a part was expected: the session has ended, so show that page as itself.
  document.addEventListener("htmx:beforeSwap", function (event) {
    if (/^\s*<!doctype/i.test(event.detail.serverResponse)) {
      event.detail.shouldSwap = false;
      window.location.reload();
    }
  });

  document.addEventListener("htmx:afterSwap", function (event) {
    const news = event.detail.target.querySelector("[data-announce]");
    if (news) say(news.textContent);
    reveal();
  });

  reveal();
})();
