//! RECORD -> ONLOOKER: shows requests to those who ask at the moment, as they end or from what is kept of the last ones.
//!
//! In: pages of records, and what each onlooker wants to see. Out: a line of JSON for each such request, as its span says it.
//! Never: a request or the export kept waiting by somebody who reads slowly; what is too much is left out, and said.

use std::sync::Arc;

use super::line;
use crate::recording::identity::Identity;
use crate::recording::otlp::encoded;
use crate::recording::queue::Page;
use crate::recording::record::{Record, Text};
use crate::recording::ring::Ring;

pub use self::window::Window;
pub use self::wish::{NotAWish, Wish};

mod window;
mod wish;

/// Onlookers at one time.
pub const MOST: usize = 8;

/// Somebody who wants to see something.
pub struct View {
    pub wish: Wish,
    pub window: Arc<Window>,
}

/// Those who look on at the moment.
#[derive(Default)]
pub struct Views(Vec<View>);

// === impl Views ===

impl Views {
    /// Shows what is kept, if that is wanted, and what is still to come, if that is; `now` in nanoseconds since 1970.
    pub fn open(&mut self, mut view: View, ring: &Ring, now: u64) {
        if let Some(since) = view.wish.since_ns {
            view.look_back(ring, now.saturating_sub(since));
        }
        if view.wish.follow && view.wish.most > 0 {
            self.0.push(view);
        } else {
            view.window.end();
        }
    }

    /// Shows the requests of a page to those who want to see them.
    pub fn show(&mut self, page: &Page) {
        self.0.retain_mut(|view| {
            for (record, text, identity) in page.records() {
                view.show(record, text, identity);
            }
            view.goes_on()
        });
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        self.0.iter().for_each(|view| view.window.end());
    }
}

// === impl View ===

impl View {
    fn show(&mut self, record: &Record, text: Text<'_>, identity: &Identity) {
        if self.wish.most > 0 && self.wish.wants(record, text, &identity.node.service) {
            self.wish.most -= 1;
            self.window.put(&line::of(&encoded(record, text, identity)));
        }
    }

    /// Shows the last of the kept requests that ended at `from` or later, oldest first.
    fn look_back(&mut self, ring: &Ring, from: u64) {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        'enough: for page in ring.pages().rev() {
            let mut wanted: Vec<_> = page
                .records()
                .filter(|(record, ..)| record.end_unix >= from)
                .filter(|(record, text, identity)| {
                    self.wish.wants(record, *text, &identity.node.service)
                })
                .collect();
            while let Some((record, text, identity)) = wanted.pop() {
                if self.wish.most == 0 {
                    break 'enough;
                }
                let line = line::of(&encoded(record, text, identity));
                bytes += line.len();
                if bytes > window::ROOM {
                    self.window.miss(1 + wanted.len() as u64);
                    break 'enough;
                }
                self.wish.most -= 1;
                lines.push(line);
            }
        }
        lines.iter().rev().for_each(|line| self.window.put(line));
    }

    fn goes_on(&self) -> bool {
        let goes_on = self.wish.most > 0 && !self.window.is_closed();
        if !goes_on {
            self.window.end();
        }
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;
    use crate::recording::ring::Places;

    fn page(paths: &[&str], end_unix: u64) -> Rc<Page> {
        let mut page = Page::empty();
        for path in paths {
            let record = Record {
                end_unix,
                ..Record::sample()
            };
            let text = Text {
                path,
                authority: "back",
                route: path,
            };
            page.push(record, text, &Identity::of_tests());
        }
        Rc::new(page)
    }

    fn wish(parts: &[(&str, &str)]) -> Wish {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Wish::of(parts.iter().map(own)).unwrap()
    }

    fn seen(window: &Window) -> Option<Vec<String>> {
        let text = String::from_utf8(window.take(Duration::ZERO)?).unwrap();
        let lines = text.lines().map(|line| {
            let said: serde_json::Value = serde_json::from_str(line).unwrap();
            said["url.path"].as_str().unwrap_or("missed").to_owned()
        });
        Some(lines.collect())
    }

    #[test]
    fn the_last_are_shown_in_order_and_then_those_that_come() {
        let mut ring = Ring::new(1 << 20);
        ring.push(page(&["/old"], 10), Places::default());
        ring.push(page(&["/a", "/b"], 100), Places::default());
        ring.push(page(&["/c"], 110), Places::default());
        let mut views = Views::default();
        let mut look = |parts: &[(&str, &str)]| {
            let window = Window::open(&Arc::new(()));
            let view = View {
                wish: wish(parts),
                window: Arc::clone(&window),
            };
            views.open(view, &ring, 1_000_000_100);
            window
        };
        let all = look(&[("since", "1s")]);
        assert_eq!(seen(&all).unwrap(), ["/a", "/b", "/c"]);
        assert_eq!(seen(&all), None, "that was all");
        let two = look(&[("since", "1s"), ("limit", "2")]);
        assert_eq!(seen(&two).unwrap(), ["/b", "/c"]);
        let on = look(&[
            ("since", "1s"),
            ("follow", "true"),
            ("limit", "4"),
            ("path", "/*"),
        ]);
        let live = look(&[("path", "/d")]);
        views.show(&page(&["/d", "/e"], 200));
        assert_eq!(seen(&on).unwrap(), ["/a", "/b", "/c", "/d"]);
        assert_eq!(seen(&on), None, "four were asked for");
        assert_eq!(seen(&live).unwrap(), ["/d"]);
        drop(views);
        assert_eq!(seen(&live), None, "the proxy has ended");
    }

    #[test]
    fn who_has_left_is_shown_nothing() {
        let mut views = Views::default();
        let window = Window::open(&Arc::new(()));
        let view = View {
            wish: wish(&[]),
            window: Arc::clone(&window),
        };
        views.open(view, &Ring::new(0), 0);
        window.close();
        views.show(&page(&["/a"], 1));
        assert!(views.0.is_empty());
    }
}
