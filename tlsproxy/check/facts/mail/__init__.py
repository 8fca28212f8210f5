"""The way of mail: restriction lists, domains, next hops, DNS lists."""
