//! Whether an ordinary trace stays, from its id alone: all spans of it meet the same chance, in every process.

/// Evenly spread over ids, also where these are counted up: two rounds of splitmix64's finalizer.
pub fn stays(trace: u128, share: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "the other half goes by itself")]
    let (high, low) = ((trace >> 64) as u64, trace as u64);
    let drawn = mix(high ^ mix(low));
    // 53 bits are what a double holds.
    #[expect(clippy::cast_precision_loss, reason = "both are below 2^53 or a power of two")]
    let place = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
    place < share
}

fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_stays_of_ids_that_are_counted_up() {
        for share in [0.0, 0.05, 0.5, 1.0] {
            let stay = (1..=100_000_u128).filter(|&trace| stays(trace, share)).count();
            #[expect(clippy::cast_precision_loss, reason = "few")]
            let off = stay as f64 / 100_000.0 - share;
            assert!(off.abs() < 0.005, "{share}: {off}");
        }
    }

    #[test]
    fn what_a_small_share_keeps_a_larger_one_keeps_too() {
        assert!((1..10_000_u128).all(|trace| !stays(trace, 0.1) || stays(trace, 0.3)));
    }
}
