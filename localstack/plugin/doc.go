// Package plugin is empty: the plugin is in Python. Its test runs those of the plugin.
package plugin
