//! The settings of our own identity service. Every other function only verifies.

use crate::secret::Secret;

#[derive(Clone, Debug, Default)]
pub struct IdentitySettings {
    /// Seals the private signing keys in the database; empty means not configured.
    pub keys_secret: Secret,
    /// `iss` of the tokens we sign, and the public base of the service: ends in `/auth/v1`.
    pub issuer: String,
    pub audience: String,
    /// Where a mailed link leads to when it names no page.
    pub site_url: String,
    /// Origins that a link may lead to; `*` for development.
    pub redirect_origins: Vec<String>,
    /// A new address counts as confirmed, as under `supabase start`. Never in production.
    pub autoconfirm: bool,
    /// Opaque keys that act as the service: `sb_secret_...`.
    pub secret_keys: Vec<Secret>,
    /// The legacy service key, a JWT.
    pub service_key: Secret,
}
