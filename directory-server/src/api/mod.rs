//! `/api/v1`, resource by resource.
