import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '../base/errors.ts';
import { labJsonSchema, parseLab, readLab } from './lab-file.ts';

const small = `
name: small
title: a small lab
hosts:
  h: {}
machines:
  m: { host: h, tap: tap1, address: 10.0.0.1/24 }
steps:
  - title: first
    do:
      - on: h
        run: |
          # a comment
          tunctl -t tap1
      - start: m
    check:
      - ping: { from: h, to: 10.0.0.1 }
`;

const fault = (source: string): string => {
  try {
    parseLab(source, 'x.yaml');
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  return 'no fault';
};

test('every lab that comes with Weft is valid', () => {
  const files = globSync('labs/*.yaml', { cwd: join(import.meta.dirname, '../..') });
  assert.ok(files.length >= 2);
  for (const file of files) readLab(join(import.meta.dirname, '../..', file));
});

test('a lab gets its defaults, and commands become lines', () => {
  const lab = parseLab(small, 'x.yaml');
  assert.deepEqual(lab.steps[0]?.do[0], { on: 'h', run: ['# a comment', 'tunctl -t tap1'] });
  assert.deepEqual(lab.steps[0]?.check[0], { ping: { from: 'h', to: '10.0.0.1', answers: true } });
  assert.equal(lab.steps[0]?.essential, false);
});

test('mistakes are named with line, column and what would be right', () => {
  assert.equal(fault(small.replace('start: m', 'start: n')), "x.yaml:15:16: no machine is named 'n'; there is m");
  assert.equal(fault(small.replace('from: h,', 'from: x,')), "x.yaml:17:23: no host or machine is named 'x'; there are h, m");
  assert.match(fault(small.replace('10.0.0.1/24', '10.0.0.1')), /^x\.yaml:7:37: machines\.m\.address: .*192\.168\.2\.2\/24/);
  assert.match(fault(small.replace('title: a small lab', 'titel: x')), /title is missing[\s\S]*unknown key 'titel'/);
  assert.match(fault(small.replace('ping:', 'pong:')), /a check is one of ping, http, tcp, output/);
  assert.match(fault(small.replace('start: m', 'stop: m')), /an action is \{on, run\}/);
  assert.match(fault('a: [1'), /^x\.yaml:1:/);
  assert.match(fault(''), /^x\.yaml:1:1: the lab/);
});

test('a file that is not there is said to be so', () => {
  assert.throws(() => readLab('/nonexistent.yaml'), /no such lab file/);
});

test('the JSON Schema names the top-level keys', () => {
  const schema = labJsonSchema() as { properties: Record<string, unknown> };
  assert.ok('steps' in schema.properties);
});
