// Passkeys: asks the browser for what a form wants, puts the answer into its hidden field and sends it.
(function () {
  "use strict";

  function bytes(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  }

  function text(buffer) {
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function named(list) {
    return (list || []).map((one) => ({ ...one, id: bytes(one.id) }));
  }

  function wanted(options) {
    const publicKey = { ...options, challenge: bytes(options.challenge) };
    if (options.user) publicKey.user = { ...options.user, id: bytes(options.user.id) };
    if (options.allowCredentials) publicKey.allowCredentials = named(options.allowCredentials);
    if (options.excludeCredentials) publicKey.excludeCredentials = named(options.excludeCredentials);
    return { publicKey };
  }

  // What the server reads: the credential's fields by the names of WebAuthn's own JSON.
  function spelled(credential) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    const id = text(credential.rawId);
    return JSON.stringify({ id, rawId: id, type: credential.type, response, clientExtensionResults: {} });
  }

  function problem(error) {
    if (error.name === "InvalidStateError") return "This passkey is added already.";
    if (error.name === "SecurityError") return "Passkeys do not work at this address.";
    return "No passkey answered. Try again.";
  }

  async function answer(form) {
    const says = form.querySelector("[data-says]");
    const options = wanted(JSON.parse(form.dataset.options));
    const button = form.querySelector("[type=submit]");
    says.textContent = "";
    button.disabled = true;
    try {
      const add = form.dataset.passkey === "add";
      const credential = await (add ? navigator.credentials.create(options) : navigator.credentials.get(options));
      form.querySelector("[data-answer]").value = spelled(credential);
      HTMLFormElement.prototype.submit.call(form); // a field that is carried along may be called "submit"
    } catch (error) {
      says.textContent = problem(error);
      button.disabled = false;
    }
  }

  if (!window.PublicKeyCredential) return;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      answer(form);
    });
  }
})();
