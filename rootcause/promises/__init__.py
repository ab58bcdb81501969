"""What operators promise and ask for: objectives with burn rates, rules in SQL, and the alarms when they fail."""
