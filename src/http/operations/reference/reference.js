// Shows /openapi.json, and sends the requests that a reader tries out to this server.

/* global SwaggerUIBundle */
SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  displayRequestDuration: true,
  // Otherwise the page would send the document's address to a validator on the internet.
  validatorUrl: null,
  // An address in the page's query could name another document.
  queryConfigEnabled: false,
});
