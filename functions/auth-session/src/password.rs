//! Passwords: what a good one is, and bcrypt. It is computed here and never in Postgres, which has other work to do.

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::json;
use shared::crypto::Crypto;
use shared::edge::{Answer, ApiError, Refusal};

use crate::gotrue::invalid;

/// As Supabase's, so that a project can move either way.
const COST: u32 = 10;
/// An imported hash that costs more would keep the isolate busy for seconds.
const DEAREST: u32 = 14;
/// More than bcrypt reads.
const LONGEST: usize = 72;
const SHORTEST: usize = 8;

const WEAK: Refusal =
    Refusal::new(422, "WEAK_PASSWORD", "Password should have 8 to 72 characters, a letter and a digit");

/// Other implementations leave the last, unused bits as they come.
const TEXT: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The parts of `$2a$10$<22 characters of salt><31 of hash>`.
struct Hash {
    cost: u32,
    salt: [u8; 16],
    sum: [u8; 23],
}

impl Hash {
    fn read(text: &str) -> Option<Self> {
        let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|version| text.strip_prefix(version))?;
        let (cost, rest) = rest.split_once('$')?;
        let (salt, sum) = rest.split_at_checked(22)?;
        let cost = cost.parse().ok().filter(|cost| (4..=DEAREST).contains(cost))?;
        let salt = TEXT.decode(salt).ok()?.try_into().ok()?;
        Some(Self { cost, salt, sum: TEXT.decode(sum).ok()?.try_into().ok()? })
    }

    fn of(password: &[u8], cost: u32, salt: [u8; 16]) -> [u8; 23] {
        // Closed by a zero, and cut where bcrypt stops reading.
        let mut key = password.to_vec();
        key.push(0);
        key.truncate(LONGEST);
        let mut sum = [0u8; 23];
        for (to, from) in sum.iter_mut().zip(bcrypt::bcrypt(cost, salt, &key)) {
            *to = from;
        }
        sum
    }
}

/// What is wrong with a password that somebody chooses; the words are GoTrue's.
pub fn weaknesses(password: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    if password.chars().count() < SHORTEST {
        found.push("length");
    }
    if !password.chars().any(char::is_alphabetic) || !password.bytes().any(|byte| byte.is_ascii_digit()) {
        found.push("characters");
    }
    found
}

/// The hash of a password that somebody chooses.
pub fn chosen(crypto: &dyn Crypto, password: &str) -> Answer<String> {
    if password.len() > LONGEST {
        return Err(invalid("Password cannot be longer than 72 bytes"));
    }
    if password.contains('\0') {
        return Err(invalid("Password cannot contain a zero byte"));
    }
    let reasons = weaknesses(password);
    if !reasons.is_empty() {
        return Err(weak(&reasons));
    }
    let mut salt = [0u8; 16];
    crypto.random(&mut salt)?;
    Ok(written(salt, Hash::of(password.as_bytes(), COST, salt)))
}

pub fn weak(reasons: &[&str]) -> ApiError {
    WEAK.with(json!({ "reasons": reasons }))
}

/// A hash that nobody has a password for: of an account that signs in by mail alone.
pub fn none(crypto: &dyn Crypto) -> Answer<String> {
    let (mut salt, mut sum) = ([0u8; 16], [0u8; 23]);
    crypto.random(&mut salt)?;
    crypto.random(&mut sum)?;
    Ok(written(salt, sum))
}

fn written(salt: [u8; 16], sum: [u8; 23]) -> String {
    format!("$2a${COST:02}${}{}", TEXT.encode(salt), TEXT.encode(sum))
}

/// Whether `password` belongs to `stored`. Without a hash, or with one that cannot be read, the same work is done for
/// nothing, so that the time does not tell who has an account.
pub fn matches(password: &str, stored: Option<&str>) -> bool {
    let hash = stored.and_then(Hash::read);
    let known = hash.is_some() && password.len() <= LONGEST && !password.contains('\0');
    let hash = hash.unwrap_or(Hash { cost: COST, salt: [0; 16], sum: [0; 23] });
    let sum = Hash::of(password.as_bytes(), hash.cost, hash.salt);
    let differs = sum.iter().zip(hash.sum).fold(0, |differs, (a, b)| differs | (a ^ b));
    known && differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::crypto::FakeCrypto;

    /// Of jBCrypt's, Go's and Python's own tests.
    #[test]
    fn hashes_of_other_implementations_are_believed() {
        for (password, hash) in [
            ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
            ("abc", "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi"),
            ("correctbatteryhorsestapler", "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie"),
            ("correctbatteryhorsestapler", "$2a$04$n4Uy0eSnMfvnESYL.bLwuuj0U/ETSsoTpRT9GVk$5bektyVVa5xnIi"),
        ] {
            assert_eq!(matches(password, Some(hash)), !hash.contains("k$5"), "{hash}");
            assert!(!matches(&format!("{password}x"), Some(hash)), "{hash}");
        }
    }

    #[test]
    fn a_chosen_password_matches_its_hash_and_no_other() {
        let hash = chosen(&FakeCrypto::default(), "S3cret-пароль").unwrap();
        assert!(hash.starts_with("$2a$10$") && hash.len() == 60, "{hash}");
        for (password, good) in [("S3cret-пароль", true), ("s3cret-пароль", false), ("", false)] {
            assert_eq!(matches(password, Some(&hash)), good, "{password}");
        }
        assert!(!matches("S3cret-пароль", None));
    }

    #[test]
    fn the_last_byte_of_the_longest_password_counts() {
        let longest = format!("a1{}", "x".repeat(70));
        let hash = chosen(&FakeCrypto::default(), &longest).unwrap();
        assert!(matches(&longest, Some(&hash)));
        assert!(!matches(&format!("a1{}y", "x".repeat(69)), Some(&hash)));
        // bcrypt would not see what comes after.
        assert!(!matches(&format!("{longest}y"), Some(&hash)));
    }

    #[test]
    fn a_password_has_8_characters_72_bytes_a_letter_and_a_digit() {
        let crypto = FakeCrypto::default();
        for (password, code) in [
            ("abcdef1", "WEAK_PASSWORD"),
            ("abcdefgh", "WEAK_PASSWORD"),
            ("12345678", "WEAK_PASSWORD"),
            ("", "WEAK_PASSWORD"),
            ("abcdef1\0", "VALIDATION_FAILED"),
            (&format!("1{}", "é".repeat(36)), "VALIDATION_FAILED"),
        ] {
            assert_eq!(chosen(&crypto, password).unwrap_err().problem().code, code, "{password}");
        }
        for password in ["abcdefg1", "ééééééé1", &format!("12{}", "é".repeat(35))] {
            assert!(chosen(&crypto, password).is_ok(), "{password}");
        }
    }

    #[test]
    fn what_is_no_hash_of_ours_matches_nothing() {
        for hash in ["", "$argon2id$v=19$m=1,t=1,p=1$YQ$YQ", "$2x$04$", "$2a$31$", "$2a$10$short", "$2a$10$é"] {
            assert!(!matches("password1", Some(hash)), "{hash}");
        }
        let dear = "$2a$15$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi";
        assert!(!matches("abc", Some(dear)), "minutes of work");
        assert!(!matches("", Some(&none(&FakeCrypto::default()).unwrap())));
    }
}
