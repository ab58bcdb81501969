//! Key sequences seen lately: senders write the same keys in the same order over and over, so sorting them and looking
//! each one up in the dictionary is done once a sequence instead of once a span.

/// Sequences remembered per column; beyond it the least recently used one makes room.
const REMEMBERED: usize = 8;

/// One sequence of keys: which positions a map keeps, sorted by key with the last of equal keys, and the dictionary
/// place of each.
#[derive(Debug)]
pub struct Shape {
    keys: Vec<u8>,
    ends: Vec<usize>,
    pub kept: Vec<usize>,
    pub places: Vec<u32>,
}

#[derive(Debug, Default)]
pub struct Shapes {
    recent: Vec<Shape>,
}

impl Shapes {
    /// The shape of a sequence; `place` gives the dictionary place of a key, in the order in which keys are kept.
    #[inline]
    pub fn of<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'k [u8]> + Clone,
        place: impl FnMut(&[u8]) -> u32,
    ) -> &Shape {
        let known = self.recent.iter().position(|shape| shape.matches(keys.clone()));
        if let Some(at) = known {
            if at > 0 {
                self.recent.swap(at, at - 1);
                return &self.recent[at - 1];
            }
        } else {
            self.recent.truncate(REMEMBERED - 1);
            self.recent.insert(0, Shape::new(keys, place));
        }
        &self.recent[0]
    }
}

impl Shape {
    #[cold]
    fn new<'k>(keys: impl ExactSizeIterator<Item = &'k [u8]>, place: impl FnMut(&[u8]) -> u32) -> Self {
        let all: Vec<&[u8]> = keys.collect();
        let mut kept: Vec<usize> = (0..all.len()).collect();
        kept.sort_by_key(|&at| all[at]);
        // Sorting is stable, so the last of equal keys is the one that was written last.
        kept.dedup_by(|later, earlier| {
            let same = all[*later] == all[*earlier];
            if same {
                *earlier = *later;
            }
            same
        });
        let places = kept.iter().map(|&at| all[at]).map(place).collect();
        let ends = all
            .iter()
            .scan(0, |end, key| {
                Some({
                    *end += key.len();
                    *end
                })
            })
            .collect();
        Self { keys: all.concat(), ends, kept, places }
    }

    #[inline]
    fn matches<'k>(&self, keys: impl ExactSizeIterator<Item = &'k [u8]>) -> bool {
        let mut from = 0;
        self.ends.len() == keys.len()
            && keys
                .zip(&self.ends)
                .all(|(key, &end)| self.keys[std::mem::replace(&mut from, end)..end] == *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(shapes: &mut Shapes, keys: &[&str], asked: &mut Vec<String>) -> Vec<usize> {
        let shape = shapes.of(keys.iter().map(|key| key.as_bytes()), |key| {
            asked.push(String::from_utf8_lossy(key).into_owned());
            u32::try_from(asked.len()).unwrap()
        });
        shape.kept.clone()
    }

    #[test]
    fn sorted_and_the_last_of_equal_keys() {
        let (mut shapes, mut asked) = (Shapes::default(), Vec::new());
        assert_eq!(kept(&mut shapes, &["b", "a", "b", ""], &mut asked), [3, 1, 2]);
        assert_eq!(asked, ["", "a", "b"]);
        assert!(kept(&mut shapes, &[], &mut asked).is_empty());
    }

    #[test]
    fn a_known_sequence_asks_for_no_place() {
        let (mut shapes, mut asked) = (Shapes::default(), Vec::new());
        for _ in 0..3 {
            assert_eq!(kept(&mut shapes, &["b", "a"], &mut asked), [1, 0]);
            assert_eq!(kept(&mut shapes, &["ba", ""], &mut asked), [1, 0]);
        }
        assert_eq!(asked, ["a", "b", "", "ba"]);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut shapes, mut asked) = (Shapes::default(), Vec::new());
        for key in 0..100 {
            kept(&mut shapes, &[&key.to_string()], &mut asked);
        }
        assert_eq!(shapes.recent.len(), REMEMBERED);
    }
}
