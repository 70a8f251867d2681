// Starts Swagger UI on the schema that the page names. Nothing is asked of other servers.
"use strict";

const place = document.getElementById("swagger-ui");

// Swagger's dark style hangs on a class: the theme that the page names decides, else the system, also when it changes.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function shade() {
  const root = document.documentElement;
  root.classList.toggle("dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
}
dark.addEventListener("change", shade);
shade();

// Swagger's title stands outside of every landmark, and its groups are headings two levels below it: the page has a
// first heading of its own, and the title becomes a second.
function tidy() {
  const info = place.querySelector(".information-container");
  info.setAttribute("role", "region");
  info.setAttribute("aria-label", "About");
  info.querySelector(".title").setAttribute("aria-level", "2");
}

SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: false,
  validatorUrl: null,
  defaultModelsExpandDepth: -1,
  onComplete: tidy,
});
