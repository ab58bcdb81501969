//! Seals bytes with a secret that people or files keep, for a disk that may be stolen.
//!
//! In: bytes and a secret. Out: `wmk1`, rounds, salt, nonce, ciphertext and tag. Never: more rounds than bounded, so that a
//! forged box costs seconds at most.

use std::num::NonZeroU32;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use ring::rand::{SecureRandom, SystemRandom};

const MAGIC: &[u8; 4] = b"wmk1";
/// Of PBKDF2 with SHA-256, as OWASP's cheat sheet on password storage wants them (2023).
const ROUNDS: u32 = 600_000;
const MOST_ROUNDS: u32 = 10_000_000;
const SALT: usize = 16;
const HEAD: usize = MAGIC.len() + 4 + SALT + NONCE_LEN;

/// Why nothing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Sealed {
    #[error("is not a sealed key, or one of a newer version")]
    Unknown,
    #[error("the secret is another one, or the sealed key was changed")]
    WrongSecret,
    #[error("the system gave no random bytes")]
    NoRandom,
}

pub fn seal(bytes: &[u8], secret: &[u8]) -> Result<Vec<u8>, Sealed> {
    seal_in(bytes, secret, ROUNDS)
}

fn seal_in(bytes: &[u8], secret: &[u8], rounds: u32) -> Result<Vec<u8>, Sealed> {
    let mut random = [0; SALT + NONCE_LEN];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Sealed::NoRandom)?;
    let head = [&MAGIC[..], &rounds.to_be_bytes(), &random].concat();
    let (key, nonce) = opener(&head, secret)?;
    let mut content = bytes.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(&head), &mut content)
        .map_err(|_| Sealed::Unknown)?;
    Ok([head, content].concat())
}

pub fn unseal(sealed: &[u8], secret: &[u8]) -> Result<Vec<u8>, Sealed> {
    let (head, content) = sealed.split_at_checked(HEAD).ok_or(Sealed::Unknown)?;
    let (key, nonce) = opener(head, secret)?;
    let mut content = content.to_vec();
    let length = key
        .open_in_place(nonce, Aad::from(head), &mut content)
        .map_err(|_| Sealed::WrongSecret)?
        .len();
    content.truncate(length);
    Ok(content)
}

/// The key and the nonce that a head of `HEAD` bytes describes.
fn opener(head: &[u8], secret: &[u8]) -> Result<(LessSafeKey, Nonce), Sealed> {
    let rest = head.strip_prefix(MAGIC).ok_or(Sealed::Unknown)?;
    let (rounds, rest) = rest.split_first_chunk().ok_or(Sealed::Unknown)?;
    let (salt, nonce) = rest.split_at_checked(SALT).ok_or(Sealed::Unknown)?;
    let rounds = NonZeroU32::new(u32::from_be_bytes(*rounds))
        .filter(|rounds| rounds.get() <= MOST_ROUNDS)
        .ok_or(Sealed::Unknown)?;
    let mut key = [0; 32];
    derive(PBKDF2_HMAC_SHA256, rounds, salt, secret, &mut key);
    let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| Sealed::Unknown)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Sealed::Unknown)?;
    Ok((LessSafeKey::new(key), nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_and_the_same_bytes_open_it() {
        let sealed = seal_in(b"a key", b"secret", 3).unwrap();
        assert_eq!(unseal(&sealed, b"secret").unwrap(), b"a key");
        assert_eq!(unseal(&sealed, b"other"), Err(Sealed::WrongSecret));
        // Another number of rounds is another key, and may be a slow one: the first bytes are tried elsewhere.
        for place in MAGIC.len() + 4..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(
                unseal(&changed, b"secret"),
                Err(Sealed::WrongSecret),
                "byte {place}"
            );
        }
    }

    #[test]
    fn what_is_no_box_is_said_so_at_once() {
        let sealed = seal_in(b"a key", b"secret", 3).unwrap();
        let rounds = |count: u32| [&MAGIC[..], &count.to_be_bytes(), &sealed[8..]].concat();
        for wrong in [
            &sealed[..HEAD - 1],
            b"",
            &[0; 64],
            &rounds(0),
            &rounds(u32::MAX),
        ] {
            assert_eq!(unseal(wrong, b"secret"), Err(Sealed::Unknown));
        }
    }
}
