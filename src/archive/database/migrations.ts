/**
 * Creates the schema and migrates older archives, in both databases. A released migration never changes: the next one
 * mends its faults. A migration and its record go in one transaction.
 */
import { type Kysely, type Migration, Migrator, sql } from 'kysely';
import type { Engine, SqlDialect } from './engine.ts';

const migrations = ({ whole, fullText }: SqlDialect): Record<string, Migration> => ({
  '0001-conversations': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable('archived_sessions')
        .addColumn('n', whole, (column) => column.primaryKey())
        .addColumn('session_id', 'text', (column) => column.notNull())
        .addColumn('created_at', whole, (column) => column.notNull())
        .addColumn('ended_at', whole, (column) => column.notNull())
        .addColumn('end_reason', 'text', (column) => column.notNull())
        .addColumn('client_id', 'text')
        .addColumn('user_id', 'text')
        .addColumn('diagnosis_id', 'text')
        .addColumn('patient', 'text', (column) => column.notNull())
        .addColumn('turn_count', 'integer', (column) => column.notNull())
        .addColumn('answers', 'integer', (column) => column.notNull())
        .addColumn('revised', 'integer', (column) => column.notNull())
        .addColumn('second_question', 'text')
        .addColumn('words', 'text', (column) => column.notNull())
        .addUniqueConstraint('archived_sessions_life', ['session_id', 'created_at'])
        .execute();
      const byOwner = [['user_id'], ['diagnosis_id'], ['user_id', 'diagnosis_id']];
      for (const columns of byOwner) {
        await db.schema
          .createIndex(`archived_sessions_${columns.join('_')}`)
          .on('archived_sessions')
          .columns([...columns, 'n'])
          .execute();
      }
      await db.schema
        .createIndex('archived_sessions_ended')
        .on('archived_sessions')
        .column('ended_at')
        .execute();

      await db.schema
        .createTable('archived_lines')
        .addColumn('n', whole, (column) => column.references('archived_sessions.n').onDelete('cascade'))
        .addColumn('place', 'integer')
        .addColumn('role', 'text', (column) => column.notNull())
        .addColumn('author', 'text')
        .addColumn('content', 'text', (column) => column.notNull())
        .addColumn('turn_id', 'text', (column) => column.notNull())
        .addColumn('at', whole, (column) => column.notNull())
        .addPrimaryKeyConstraint('archived_lines_place', ['n', 'place'])
        .execute();
      await sql`CREATE INDEX archived_lines_author ON archived_lines (author) WHERE author IS NOT NULL`.execute(
        db,
      );

      await db.schema
        .createTable('archived_turns')
        .addColumn('n', whole, (column) => column.references('archived_sessions.n').onDelete('cascade'))
        .addColumn('place', 'integer')
        .addColumn('turn_id', 'text', (column) => column.notNull())
        .addColumn('started_at', whole, (column) => column.notNull())
        .addColumn('outcome', 'text', (column) => column.notNull())
        .addColumn('prompt_tokens', whole, (column) => column.notNull())
        .addColumn('completion_tokens', whole, (column) => column.notNull())
        .addColumn('first_token_ms', 'double precision')
        .addColumn('total_ms', 'double precision')
        .addPrimaryKeyConstraint('archived_turns_place', ['n', 'place'])
        .execute();

      await db.schema
        .createTable('archive_erasures')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .execute();
      for (const statement of fullText) await sql.raw(statement).execute(db);
    },
  },
  '0002-erased': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable('archive_erased')
        .addColumn('who', 'text', (column) => column.primaryKey())
        .addColumn('until', whole, (column) => column.notNull())
        .execute();
    },
  },
  '0003-simulated': {
    async up(db: Kysely<unknown>): Promise<void> {
      // With a default: an instance of the previous version goes on inserting lines without it.
      await db.schema
        .alterTable('archived_lines')
        .addColumn('simulated', 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
    },
  },
  '0004-tenants': {
    async up(db: Kysely<unknown>): Promise<void> {
      // With a default: all that is archived so far, and what an older instance adds, is of the default tenant.
      await db.schema
        .alterTable('archived_sessions')
        .addColumn('tenant', 'text', (column) => column.notNull().defaultTo(''))
        .execute();
      const byOwner = [['user_id'], ['diagnosis_id'], ['user_id', 'diagnosis_id']];
      for (const columns of [[], ...byOwner]) {
        await db.schema
          .createIndex(['archived_sessions_tenant', ...columns].join('_'))
          .on('archived_sessions')
          .columns(['tenant', ...columns, 'n'])
          .execute();
      }
      for (const columns of byOwner)
        await db.schema.dropIndex(`archived_sessions_${columns.join('_')}`).execute();
    },
  },
  '0005-history': {
    async up(db: Kysely<unknown>): Promise<void> {
      // Nullable: an instance of the previous version goes on inserting sessions without it.
      await db.schema.alterTable('archived_sessions').addColumn('history', 'text').execute();
      await db.schema
        .createTable('archived_named')
        .addColumn('n', whole, (column) => column.references('archived_sessions.n').onDelete('cascade'))
        .addColumn('user_id', 'text')
        .addPrimaryKeyConstraint('archived_named_user', ['n', 'user_id'])
        .execute();
      await db.schema.createIndex('archived_named_by_user').on('archived_named').column('user_id').execute();
    },
  },
});

export async function migrate({ db, dialect }: Engine): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations(dialect) },
    migrationTableName: 'archive_migrations',
    migrationLockTableName: 'archive_migrations_lock',
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
