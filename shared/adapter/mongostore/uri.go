package mongostore

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// CheckURI reports what is wrong with a connection string, without connecting. No part of
// a password is in the error.
func CheckURI(uri string) error {
	err := checkUserInfo(uri)
	if err == nil {
		err = options.Client().ApplyURI(uri).Validate()
	}
	if err != nil {
		return fmt.Errorf("the MongoDB connection string is not valid: %s", hideSecrets(err.Error(), uri))
	}
	return nil
}

// defaultDatabase is used where neither Options nor the URI names one.
const defaultDatabase = "millrace"

// userInfo is what stands before the "@" of a connection string, "" without one.
func userInfo(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	authority, _, _ := strings.Cut(rest, "?")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return ""
	}
	return authority[:at]
}

// databaseOf is the database that the path of a connection string names.
func databaseOf(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if u := userInfo(uri); u != "" {
		rest = rest[len(u)+1:]
	}
	_, path, _ := strings.Cut(rest, "/")
	if name, err := url.PathUnescape(path); err == nil && name != "" {
		return name
	}
	return defaultDatabase
}

// checkUserInfo refuses what the driver would report with parts of the password.
func checkUserInfo(uri string) error {
	info := userInfo(uri)
	if _, err := url.PathUnescape(info); err != nil || strings.ContainsAny(info, "/@") || strings.Count(info, ":") > 1 {
		return errors.New(`the user name or the password has a character that must be percent-encoded (":" is %3A, "/" is %2F, "@" is %40, "%" is %25)`)
	}
	return nil
}

// hideSecrets replaces the password of a connection string in a text.
func hideSecrets(text, uri string) string {
	_, password, ok := strings.Cut(userInfo(uri), ":")
	if !ok || password == "" {
		return text
	}
	text = strings.ReplaceAll(text, password, "***")
	if plain, err := url.PathUnescape(password); err == nil {
		text = strings.ReplaceAll(text, plain, "***")
	}
	return text
}
