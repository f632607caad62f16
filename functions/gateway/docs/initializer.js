// The servers of the document are relative, so whatever is tried goes to the gateway that serves this page. "Authorize" takes an
// access token and the anon key, as supabase-js sends them; they are forgotten when the page is closed.
window.addEventListener('DOMContentLoaded', () => {
  window.ui = window.SwaggerUIBundle({
    url: '/docs/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    operationsSorter: 'alpha',
    persistAuthorization: false,
    tryItOutEnabled: true,
    validatorUrl: null,
  });
});
