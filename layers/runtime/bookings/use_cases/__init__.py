"""The use cases: receive a delivery, record it, announce a change. They reach the outside through `ports`."""
