"""The way of mail: restrictions, relaying, routes, and logins at other servers."""
