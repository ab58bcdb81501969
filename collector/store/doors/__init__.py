"""How clients reach the embedded store: ClickHouse's native protocol and its HTTP interface."""
