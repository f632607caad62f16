//! Where a link may lead. Tokens travel in it, so a page that is not listed gets none: the home page is used instead.

use shared::identity::IdentitySettings;

use crate::visit::Visit;

/// Longer than any page of ours; escaped, it still has to fit into a mailed link.
const LONGEST: usize = 500;
/// What a browser would run instead of opening it.
const SCRIPTS: [&str; 4] = ["javascript", "data", "vbscript", "file"];

/// The page that this request names, if it may; else the home page.
pub fn target(visit: &Visit) -> &str {
    visit.query("redirect_to").filter(|url| allowed(url, visit.settings())).unwrap_or(&visit.settings().site_url)
}

/// A listed origin: scheme, host and port, with nothing that two readers could understand differently.
pub fn allowed(url: &str, settings: &IdentitySettings) -> bool {
    let Some(origin) = origin(url) else { return false };
    let script = origin.split(':').next().is_some_and(|scheme| SCRIPTS.contains(&scheme));
    let listed = |one: &String| *one == origin || (one == "*" && !script);
    self::origin(&settings.site_url).as_ref() == Some(&origin) || settings.redirect_origins.iter().any(listed)
}

/// `https://app.example.com`, or `myapp://callback` of an app on a phone.
fn origin(url: &str) -> Option<String> {
    let clear = url.len() <= LONGEST && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let (scheme, rest) = url.split_once("://").filter(|_| clear)?;
    let named = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty() && !host.contains('@'))?;
    (named && !scheme.is_empty()).then(|| format!("{scheme}://{host}").to_ascii_lowercase())
}

/// `url` with fields in its fragment, which no server sees.
pub fn with_fragment(url: &str, fields: &str) -> String {
    let page = url.split('#').next().unwrap_or_default();
    format!("{page}#{fields}")
}

/// `url` with fields in its query, before a fragment that it may have.
pub fn with_query(url: &str, fields: &str) -> String {
    let (page, fragment) = url.split_once('#').map_or((url, None), |(page, fragment)| (page, Some(fragment)));
    let joint = if page.contains('?') { '&' } else { '?' };
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{page}{joint}{fields}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(origins: &[&str]) -> IdentitySettings {
        IdentitySettings {
            site_url: "https://app.cauris.test/home".into(),
            redirect_origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            ..IdentitySettings::default()
        }
    }

    #[test]
    fn a_link_leads_to_the_site_and_to_listed_origins_only() {
        let settings = settings(&["https://shop.cauris.test", "myapp://callback"]);
        for (url, good) in [
            ("https://app.cauris.test", true),
            ("https://app.cauris.test/reset?x=1#y", true),
            ("HTTPS://APP.cauris.test/", true),
            ("https://shop.cauris.test/", true),
            ("myapp://callback/x", true),
            ("http://app.cauris.test", false),
            ("https://app.cauris.test:8443", false),
            ("https://app.cauris.test.evil.test", false),
            ("https://app.cauris.test@evil.test", false),
            ("https://evil.test/https://app.cauris.test", false),
            ("https://evil.test#https://app.cauris.test", false),
            ("https://evil.test\\@app.cauris.test", false),
            ("https://app.cauris.test\n.evil.test", false),
            ("//app.cauris.test", false),
            ("/reset", false),
            ("javascript:alert(1)", false),
            ("otherapp://callback", false),
            ("", false),
        ] {
            assert_eq!(allowed(url, &settings), good, "{url}");
        }
    }

    #[test]
    fn in_development_every_page_is_listed_and_no_script() {
        let settings = settings(&["*"]);
        assert!(allowed("http://localhost:5173/x", &settings));
        for url in ["javascript://%0aalert(1)", "JavaScript://x", "data://x", "https://a@b", "x"] {
            assert!(!allowed(url, &settings), "{url}");
        }
    }

    #[test]
    fn fields_are_put_where_the_client_looks_for_them() {
        assert_eq!(with_fragment("https://a/b?c=1#old", "x=1"), "https://a/b?c=1#x=1");
        for (url, whole) in [
            ("https://a/b", "https://a/b?x=1"),
            ("https://a/b?c=1", "https://a/b?c=1&x=1"),
            ("https://a#f", "https://a?x=1#f"),
        ] {
            assert_eq!(with_query(url, "x=1"), whole);
        }
    }
}
