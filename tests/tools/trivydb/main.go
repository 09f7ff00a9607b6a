// Copyright (c) 2026 polycloud.ollama contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Writes a small vulnerability database for Trivy: trivydb FILE, with the entries as JSON on standard input, each
// {"buckets": ["debian 12", "bash"], "key": "CVE-2099-0001", "value": {...}}.
package main

import (
	"encoding/json"
	"log"
	"os"

	bolt "go.etcd.io/bbolt"
)

type entry struct {
	Buckets []string        `json:"buckets"`
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
}

func put(tx *bolt.Tx, found entry) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte(found.Buckets[0]))
	for _, name := range found.Buckets[1:] {
		if err != nil {
			return err
		}
		bucket, err = bucket.CreateBucketIfNotExists([]byte(name))
	}
	if err != nil {
		return err
	}
	return bucket.Put([]byte(found.Key), found.Value)
}

func write(path string) error {
	var entries []entry
	if err := json.NewDecoder(os.Stdin).Decode(&entries); err != nil {
		return err
	}
	database, err := bolt.Open(path, 0o644, nil)
	if err != nil {
		return err
	}
	defer database.Close()
	return database.Update(func(tx *bolt.Tx) error {
		for _, found := range entries {
			if err := put(tx, found); err != nil {
				return err
			}
		}
		return nil
	})
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: trivydb FILE")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
