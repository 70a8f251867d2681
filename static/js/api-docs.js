// Starts Swagger UI on the schema that the page names. Nothing is asked of other servers.
"use strict";

const place = document.getElementById("swagger-ui");

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
