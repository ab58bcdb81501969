"""Policies outside the proxies: decisions asked for, requests replayed, keys fetched."""
