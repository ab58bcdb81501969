"""The only way to ClickHouse: schema, migrations, the embedded store and its doors, queries."""
