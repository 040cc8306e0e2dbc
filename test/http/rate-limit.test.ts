import { expect, it } from 'vitest';
import { Places, RateLimit } from '../../src/http/rate-limit.ts';

it('gives each owner so many operations at once and fills up evenly, never above', () => {
  let now = 0;
  const rates = new RateLimit(60, () => now);
  const takes = (owner: string, times: number) =>
    Array.from({ length: times }, () => rates.take(owner).allowed).filter(Boolean).length;
  expect(takes('alice', 100)).toBe(60);
  expect(takes('bob', 1)).toBe(1);
  now += 999;
  expect(rates.take('alice')).toEqual({ allowed: false, remaining: 0, seconds: 1 });
  now += 1;
  expect(rates.take('alice')).toMatchObject({ allowed: true, remaining: 0 });
  now += 10_000;
  expect(takes('alice', 100)).toBe(10);
  now += 3_600_000;
  expect(takes('alice', 100)).toBe(60);
});

it('forgets owners who have been quiet, and keeps those who have not', () => {
  let now = 0;
  const rates = new RateLimit(60, () => now);
  for (let again = 0; again < 60; again++) rates.take('busy');
  for (let round = 0; round < 20; round++) {
    now += 1_000;
    for (let owner = 0; owner < 5_000; owner++) rates.take(`${round} ${owner}`);
  }
  expect(rates.known).toBeLessThan(25_000);
  expect(rates.take('busy')).toMatchObject({ allowed: true, remaining: 19 });
});

it('lets each owner hold so many places, and take again what they gave back', () => {
  const places = new Places(2);
  const first = places.take('alice');
  expect(places.take('alice')).not.toBeNull();
  expect(places.take('alice')).toBeNull();
  expect(places.take('bob')).not.toBeNull();
  first?.();
  expect(places.take('alice')).not.toBeNull();
  expect(places.take('alice')).toBeNull();
});
