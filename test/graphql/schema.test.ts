import { readdir, readFile } from 'node:fs/promises';
import {
  buildSchema,
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  isUnionType,
  parse,
  validate,
} from 'graphql';
import { expect, it } from 'vitest';
import { printedSchema } from '../../src/graphql/print-schema.ts';
import { schema } from '../../src/graphql/schema.ts';
import { CONTRACT } from './contract.ts';

it('is committed as it is: run `npm run schema` after a change', async () => {
  const committed = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
  expect(printedSchema()).toBe(committed);
});

const ownTypes = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);

it('describes every type, field, argument, input field and enum value', () => {
  const silent: string[] = [];
  const check = (path: string, { description }: { description?: string | null | undefined }) => {
    if (description == null || description.trim() === '') silent.push(path);
  };
  for (const type of ownTypes) {
    check(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value);
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) check(`${type.name}.${field.name}`, field);
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        check(`${type.name}.${field.name}`, field);
        for (const argument of field.args) check(`${type.name}.${field.name}(${argument.name})`, argument);
      }
    }
  }
  expect(silent).toEqual([]);
});

it('holds every name that clients were promised, with its type', () => {
  const promised = buildSchema(CONTRACT);
  const missing: string[] = [];
  for (const type of Object.values(promised.getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    missing.push(...lacks(type, schema.getType(type.name)));
  }
  expect(missing).toEqual([]);
});

/** What `actual` lacks of `promised`: it may grow, and an output may promise more. */
function lacks(promised: GraphQLNamedType, actual: GraphQLNamedType | undefined): string[] {
  if (actual === undefined || actual.constructor.name !== promised.constructor.name) return [promised.name];
  if (isEnumType(promised) && isEnumType(actual)) {
    return promised
      .getValues()
      .filter(({ name }) => actual.getValue(name) == null)
      .map(({ name }) => `${promised.name}.${name}`);
  }
  if (isUnionType(promised) && isUnionType(actual)) {
    const names = actual.getTypes().map(({ name }) => name);
    return promised
      .getTypes()
      .filter(({ name }) => !names.includes(name))
      .map(({ name }) => `${promised.name} = ${name}`);
  }
  if (isInputObjectType(promised) && isInputObjectType(actual)) {
    return Object.values(promised.getFields())
      .filter(({ name, type }) => String(actual.getFields()[name]?.type) !== String(type))
      .map(({ name, type }) => `${promised.name}.${name}: ${type}`);
  }
  if (
    (isObjectType(promised) && isObjectType(actual)) ||
    (isInterfaceType(promised) && isInterfaceType(actual))
  ) {
    const interfaces = actual.getInterfaces().map(({ name }) => name);
    return [
      ...promised
        .getInterfaces()
        .filter(({ name }) => !interfaces.includes(name))
        .map(({ name }) => `${promised.name} implements ${name}`),
      ...Object.values(promised.getFields()).flatMap((field) => {
        const found = actual.getFields()[field.name];
        if (String(found?.type) !== String(field.type)) {
          return [`${promised.name}.${field.name}: ${field.type}`];
        }
        return field.args
          .filter((argument) => {
            const type = found?.args.find(({ name }) => name === argument.name)?.type;
            return String(type) !== String(argument.type);
          })
          .map((argument) => `${promised.name}.${field.name}(${argument.name}: ${argument.type})`);
      }),
    ];
  }
  return [];
}

it('runs every operation we hand out', async () => {
  const folder = new URL('../../examples/operations/', import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.graphql'));
  expect(names.length).toBeGreaterThan(3);
  for (const name of names) {
    const errors = validate(schema, parse(await readFile(new URL(name, folder), 'utf8')));
    expect({ name, errors }).toEqual({ name, errors: [] });
  }
});
